// Reads ../alloy/config.alloy with Grafana Alloy's own parser, pinned. Built by ../install.sh.
module mono-pipeline/monitoring/alloy-check

go 1.26

require (
	github.com/grafana/alloy/syntax v0.1.0
	github.com/jmespath-community/go-jmespath v1.1.1
)

require (
	github.com/fatih/color v1.15.0 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.17 // indirect
	github.com/ohler55/ojg v1.20.1 // indirect
	golang.org/x/exp v0.0.0-20230314191032-db074128a8ec // indirect
	golang.org/x/sys v0.6.0 // indirect
)
