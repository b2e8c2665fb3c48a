use axum::{extract::Path, routing::get, Router};

pub fn router() -> Router {
    Router::new().route("/items/:id", get(one))
}

async fn one(Path(id): Path<u64>) -> String {
    id.to_string()
}
