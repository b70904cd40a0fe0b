"""GitOps: compile, plan, apply, report, ci."""
