"""The background jobs. Started only where RUN_SCHEDULER=1, since every worker process would run its own copy."""

import functools
import logging

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from backend.models import measurements
from backend.services.jobs import customers, housekeeping, reports, watch

log = logging.getLogger(__name__)


def run_job(app: Flask, name: str, job) -> None:
    """Runs one job and records how it ended, so that a job that fails on every tick does not stay unseen."""
    with app.app_context():
        try:
            note = job()
        except Exception:
            log.exception("job %s failed", name)
            measurements.record_run(name, False, "failed")
        else:
            measurements.record_run(name, True, note or "")


def build_scheduler(app: Flask) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})

    def run(job):
        return functools.partial(run_job, app, job.__name__, job)

    scheduler.add_job(run(watch.slo_watchdog), "interval", minutes=5, id="slo_watchdog")
    scheduler.add_job(run(watch.status_health_check), "interval", minutes=5, id="status_health_check")
    scheduler.add_job(run(watch.alert_checks), "interval", minutes=5, id="alert_checks")
    scheduler.add_job(run(watch.intelligence_monitor), "interval", minutes=15, id="intelligence_monitor")
    scheduler.add_job(run(watch.synthetic_checks), "interval", minutes=15, id="synthetic_checks")
    scheduler.add_job(run(watch.scaling_check), "interval", hours=1, id="scaling_check")
    scheduler.add_job(run(customers.billing_dunning), "interval", hours=6, id="billing_dunning")
    scheduler.add_job(run(customers.growth_retention), "cron", hour=0, minute=10, id="growth_retention")
    scheduler.add_job(run(customers.expansion_verifier), "cron", hour=2, id="expansion_verifier")
    scheduler.add_job(run(customers.expansion_monitor), "cron", day_of_week="fri", hour=14, minute=30, id="expansion_monitor")
    scheduler.add_job(run(housekeeping.retention_aggregation), "cron", hour=0, minute=5, id="retention_aggregation")
    scheduler.add_job(run(housekeeping.retention_cleanup), "cron", hour=3, id="retention_cleanup")
    scheduler.add_job(run(housekeeping.dsar_cleanup), "cron", hour=3, minute=30, id="dsar_cleanup")
    scheduler.add_job(run(reports.cost_collector), "cron", hour=1, id="cost_collector")
    scheduler.add_job(run(reports.cost_prediction), "cron", day_of_week="mon", hour=2, minute=10, id="cost_prediction")
    scheduler.add_job(run(reports.daily_ops_summary), "cron", hour=9, timezone="Europe/London", id="daily_ops_summary")
    scheduler.add_job(run(reports.weekly_pulse), "cron", day_of_week="fri", hour=14, timezone="Europe/London", id="weekly_pulse")
    scheduler.add_job(run(reports.governance_report), "cron", day_of_week="sun", hour=9, id="governance_report")
    scheduler.add_job(run(reports.weekly_intelligence), "cron", day_of_week="sun", hour=10, minute=30, id="weekly_intelligence")
    return scheduler


def start_scheduler(app: Flask) -> BackgroundScheduler:
    scheduler = build_scheduler(app)
    scheduler.start()
    log.info("%d scheduled jobs registered in this process", len(scheduler.get_jobs()))
    return scheduler
