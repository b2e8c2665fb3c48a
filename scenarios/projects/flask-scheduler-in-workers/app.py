from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

app = Flask(__name__)


def send_reports():
    print("reports sent")


scheduler = BackgroundScheduler()
scheduler.add_job(send_reports, "interval", hours=1)
scheduler.start()


@app.get("/health")
def health():
    return {"ok": True}
