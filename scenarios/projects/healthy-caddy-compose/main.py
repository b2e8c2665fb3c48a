import os

from fastapi import FastAPI

app = FastAPI()
LEVEL = os.environ.get("LOG_LEVEL", "warning")


@app.get("/health")
def health():
    return {"level": LEVEL}
