"""The economy: spec, workload, rules, mechanisms, service, ledger, kernel and clock."""
