"""GitOps: plan, apply, report, ci."""
