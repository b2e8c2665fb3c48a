from fastapi import FastAPI
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    database_url: str
    payment_provider: str
    page_size: int = 20


settings = Settings()
app = FastAPI()


@app.get("/provider")
def provider():
    return {"provider": settings.payment_provider}
