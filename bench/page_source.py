"""Serves a folder of rendered pages to every contestant alike: by nginx where there is one, else by uvicorn.

A date filter changes nothing: a filtered request reads the same pages, so that a second run reads all there is again.
"""

from __future__ import annotations

import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import child
from local.ports import LOOPBACK, answers

if TYPE_CHECKING:
    from collections.abc import Iterator

_NGINX_CONF = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/nginx.log warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  default_type application/json;
  open_file_cache max=4096 inactive=1h;
  client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home}; uwsgi_temp_path {home};
  scgi_temp_path {home};
  map $arg_page $number {{ default $arg_page; "" 1; }}
  server {{
    listen {host}:{port};
    root {pages};
    location = /v2/accounts {{ try_files /accounts.json =404; }}
    location ~ ^/v2/accounts/([0-9a-f]+)$ {{ try_files /$1/account.json =404; }}
    location ~ ^/v2/accounts/([0-9a-f]+)/transactions$ {{ try_files /$1/$number.json =404; }}
  }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """A server of the pages; `server` names the program."""

    base_url: str
    server: str
    pid: int


@contextmanager
def serving(pages: Path, home: Path, port: int) -> Iterator[PageSource]:
    """Serve `pages` on a loopback port until the block ends; `home` takes configuration and logs."""
    home.mkdir(parents=True, exist_ok=True)
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    argv = _nginx(nginx, pages, home, port) if nginx else _uvicorn(pages, port)
    log = home / "page-source.log"
    process = child.spawn(argv, log=log)
    try:
        child.wait_until(lambda: answers(port), child=process, what="the page source", log=log, patience=30.0)
        name = "nginx" if nginx else "uvicorn"
        yield PageSource(base_url=f"http://{LOOPBACK}:{port}", server=name, pid=process.pid)
    finally:
        child.stop(process, signals=[signal.SIGTERM])


def _nginx(nginx: str, pages: Path, home: Path, port: int) -> list[str]:
    conf = home / "nginx.conf"
    conf.write_text(_NGINX_CONF.format(home=home, host=LOOPBACK, port=port, pages=pages), encoding="utf-8")
    return [nginx, "-p", str(home), "-c", str(conf)]


def _uvicorn(pages: Path, port: int) -> list[str]:
    program = Path(__file__).with_name("pages_app.py")
    return [sys.executable, str(program), str(pages), str(port)]
