"""What `deploy` has: the chart, the manifests, the alerts and the dashboard."""
