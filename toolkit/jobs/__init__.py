"""Training on machines rented from the Hub: planned here, carried out there."""

from toolkit.jobs.job import JobPlan, plan_job, start_job

__all__ = ["JobPlan", "plan_job", "start_job"]
