# The stack's commands, included by the Makefile, which says what BIN and .venv/.synced are.

.PHONY: stack stack-status stack-logs stack-down stack-clean
stack: .venv/.synced ## start Collector, Prometheus, Jaeger, VictoriaLogs, Alertmanager, and the dashboards
	@$(BIN)/python -m tests.servers stack up

stack-status: .venv/.synced ## which server of the stack is ready, and where
	@$(BIN)/python -m tests.servers stack status

stack-logs: .venv/.synced ## the last lines of every server
	@$(BIN)/python -m tests.servers stack logs

stack-down: .venv/.synced ## stop the stack; what it stored stays
	@$(BIN)/python -m tests.servers stack down

stack-clean: .venv/.synced ## stop the stack and delete what it stored
	@$(BIN)/python -m tests.servers stack clean
