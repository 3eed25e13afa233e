"""What watches the pipeline: configuration to deploy, dashboards as code, the account exporter."""
