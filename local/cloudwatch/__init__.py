"""A stand-in for CloudWatch: reads EMF from the functions' logs, answers ListMetrics and GetMetricData."""
