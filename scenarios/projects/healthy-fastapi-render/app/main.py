from fastapi import FastAPI

from app.config import settings
from app.users import router

app = FastAPI(title="users")
app.include_router(router, prefix="/users")


@app.get("/health")
def health():
    return {"ok": True, "log": settings.log_level}
