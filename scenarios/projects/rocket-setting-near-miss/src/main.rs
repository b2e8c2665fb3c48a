#[macro_use]
extern crate rocket;

#[get("/count")]
fn count() -> String {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    format!("{}", url.len())
}

#[launch]
fn start() -> _ {
    rocket::build().mount("/api", routes![count])
}
