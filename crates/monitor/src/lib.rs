//! Watches the process: memory, tasks, ledger; exports Prometheus metrics
