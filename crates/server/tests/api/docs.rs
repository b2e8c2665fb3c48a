//! The examples of the API's page in `docs/` do what it says.

use http::Method;

use crate::world::World;

const PAGE: &str = include_str!("../../../../docs/api.md");

#[tokio::test]
async fn the_examples_of_the_page_are_true() {
    for world in World::both().await {
        let owner = world.owner().await;
        let (_, key) = world.key(&owner, &["admin"]).await;
        let mut count = 0;
        for block in PAGE.split("```http\n").skip(1) {
            let block = block.split_once("\n```").expect("a block ends").0;
            let (first, rest) = block.split_once('\n').expect("a request line and a status");
            let (method, path) = first.split_once(' ').expect("a method and a path");
            let (body, status) = rest.rsplit_once('\n').map_or((None, rest), |(b, s)| (Some(b), s));
            let body = body.map(|b| serde_json::from_str(b).expect("a body is JSON"));
            let status = status.trim().parse().expect("a status");
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            key.send(&method, path, body.as_ref()).await.is(status);
            count += 1;
        }
        assert!(count >= 10, "{count} examples were found");
    }
}
