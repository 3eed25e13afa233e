"""`monoctl` on the command line; `monoctl.exit_code` says what each exit code means."""

from monoctl.app import app


def main() -> None:
    """Run one command and exit with its code."""
    app(prog_name="monoctl")


if __name__ == "__main__":
    main()
