//! The contrary of each way in which such a backend is known to lie about money. Events are signed by Stripe's own library.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use landfall_store::params;
use serde_json::{Value, json};

use super::api::{CheckoutRequest, checkout, portal, show};
use super::*;
use crate::testing::{Seen, World, double, nobody, start};
use crate::{Role, Scope, Settings};

const PATH: &str = "/api/webhooks/stripe/checkout-completed";
const SECRET: &str = "whsec_first";
const NEXT_SECRET: &str = "whsec_second";
const DAY: Duration = Duration::from_secs(86_400);

/// Stripe's library in a process of its own: a line of JSON in, a line of JSON out.
struct Library(Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>);

const SCRIPT: &str = r#"
import json, sys
import stripe
for line in sys.stdin:
    ask = json.loads(line)
    if "sign" in ask:
        out = stripe.WebhookSignature.generate_signature_header(ask["sign"], ask["secret"], timestamp=ask["at"])
    else:
        try:
            out = stripe.Webhook.construct_event(ask["check"], ask["header"], ask["secret"], tolerance=None)["id"]
        except Exception as error:
            out = type(error).__name__
    print(json.dumps(out), flush=True)
"#;

fn library(ask: &Value) -> String {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let venv = std::env::var_os("LANDFALL_TEST_VENV").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.lab/test-venv"),
            PathBuf::from,
        );
        let mut child = Command::new(venv.join("bin/python"))
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Stripe's library is there: scripts/test-venv installs it");
        let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Library(Mutex::new((child, stdin, BufReader::new(stdout))))
    });
    let mut held = library.0.lock().expect("no test panicked in here");
    let (_, stdin, stdout) = &mut *held;
    writeln!(stdin, "{ask}").expect("the library listens");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("the library answers");
    serde_json::from_str(&line)
        .expect("the library answers with a text: is it installed (scripts/test-venv)?")
}

fn sign(body: &str, secret: &str, at: Timestamp) -> String {
    library(&json!({ "sign": body, "secret": secret, "at": at.as_second() }))
}

fn settings() -> Settings {
    Settings {
        billing: BillingSettings {
            on: true,
            secret_key: "sk_test_abc".into(),
            webhook_secrets: vec![SECRET.into(), NEXT_SECRET.into()],
            prices: [("team", "price_team"), ("business", "price_business")]
                .map(|(plan, price)| (plan.to_owned(), price.to_owned()))
                .into(),
            api_base: nobody(),
        },
        ..Settings::default()
    }
}

fn event(id: &str, kind: &str, created: Timestamp, object: Value) -> Value {
    json!({
        "id": id, "object": "event", "type": kind, "created": created.as_second(), "livemode": false,
        "api_version": "2025-03-31.basil", "data": { "object": object },
    })
}

impl World {
    async fn deliver(&self, event: &Value) -> Seen {
        let body = event.to_string();
        let header = sign(&body, SECRET, self.app.clock.now());
        self.post(PATH, &[("stripe-signature", &header)], body).await
    }

    /// Delivers an event and expects this outcome, with 200.
    async fn told(&self, event: &Value, outcome: &str) {
        let seen = self.deliver(event).await;
        assert_eq!(seen.status, StatusCode::OK, "{seen:?}");
        assert_eq!(seen.json()["outcome"], outcome, "{event}");
    }

    async fn outbox(&self) -> Vec<String> {
        let rows = self
            .app
            .store
            .query("SELECT key, payload FROM outbox ORDER BY created_us, id", params![])
            .await
            .expect("a query");
        rows.iter()
            .map(|r| {
                let payload: Value = r.json("payload").expect("JSON");
                format!(
                    "{}: {}",
                    r.text("key").expect("a key"),
                    payload["headline"].as_str().expect("a headline")
                )
            })
            .collect()
    }
}

fn session(org: &str, payment_status: &str) -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "mode": "subscription", "status": "complete",
        "payment_status": payment_status, "customer": "cus_1", "subscription": "sub_1",
        "client_reference_id": org, "customer_details": { "email": "pay@acme.example" },
        "metadata": { "org": org, "plan": "team" },
    })
}

fn subscription(id: &str, status: &str, price: &str) -> Value {
    json!({
        "id": id, "object": "subscription", "status": status, "customer": "cus_1", "metadata": {},
        "items": { "object": "list", "data": [{ "id": "si_1", "price": { "id": price } }] },
    })
}

/// As of API version 2025-03-31: the subscription stands under `parent`.
fn invoice(id: &str, subscription: &str) -> Value {
    json!({
        "id": id, "object": "invoice", "customer": "cus_1", "customer_email": "pay@acme.example",
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "parent": { "type": "subscription_details", "subscription_details": { "subscription": subscription, "metadata": {} } },
        "lines": { "data": [{ "pricing": { "price_details": { "price": "price_team" } } }] },
    })
}

fn after(s: i64) -> Timestamp {
    Timestamp::from_second(start().as_second() + s).expect("a moment")
}

async fn paid_org(world: &World) -> landfall_store::Org {
    let org = world.org("acme").await;
    let id = org.id.to_string();
    world
        .told(&event("evt_paid", "checkout.session.completed", start(), session(&id, "paid")), "applied")
        .await;
    world
        .told(
            &event(
                "evt_sub",
                "customer.subscription.created",
                start(),
                subscription("sub_1", "active", "price_team"),
            ),
            "applied",
        )
        .await;
    assert_eq!(world.plan(&org).await, "team");
    org
}

#[test]
fn our_verification_and_that_of_stripes_library_agree() {
    let secrets = [SECRET.into(), NEXT_SECRET.into()];
    let body =
        event("evt_ü", "checkout.session.completed", start(), json!({ "name": "Zoë – naïve" })).to_string();
    let good = sign(&body, SECRET, start());
    assert_eq!(library(&json!({ "check": body, "header": good, "secret": SECRET })), "evt_ü");
    assert_eq!(verify(Some(&good), body.as_bytes(), &secrets, start()), Ok(()));
    // While a secret is rolled Stripe signs with both, and either may be the one that is configured.
    let both = format!("{good},{}", sign(&body, "whsec_gone", start()).split_once(',').expect("two parts").1);
    let turned = format!("{},v0=00", sign(&body, NEXT_SECRET, start()));
    for header in [&both, &turned] {
        assert_eq!(verify(Some(header), body.as_bytes(), &secrets, start()), Ok(()), "{header}");
    }
    assert_eq!(library(&json!({ "check": body, "header": both, "secret": SECRET })), "evt_ü");

    let changed = body.replace("Zoë", "Zoe");
    assert_eq!(verify(Some(&good), changed.as_bytes(), &secrets, start()), Err(SignatureProblem::Mismatch));
    assert_eq!(
        library(&json!({ "check": changed, "header": good, "secret": SECRET })),
        "SignatureVerificationError"
    );
    let foreign = sign(&body, "whsec_other", start());
    assert_eq!(verify(Some(&foreign), body.as_bytes(), &secrets, start()), Err(SignatureProblem::Mismatch));
    assert_eq!(verify(Some(&good), body.as_bytes(), &[], start()), Err(SignatureProblem::Mismatch));
    // An empty secret is none: everybody could sign with it.
    let empty = [crate::Secret::default()];
    assert_eq!(verify(Some(&good), body.as_bytes(), &empty, start()), Err(SignatureProblem::Mismatch));
}

#[test]
fn the_tolerance_counts_both_ways_and_to_the_second() {
    let body = "{}";
    let header = sign(body, SECRET, start());
    let at = |s: i64| verify(Some(&header), body.as_bytes(), &[SECRET.into()], after(s));
    assert_eq!(at(300), Ok(()));
    assert_eq!(at(301), Err(SignatureProblem::Stale { age_s: 301 }));
    assert_eq!(at(-300), Ok(()));
    assert_eq!(at(-301), Err(SignatureProblem::Future { ahead_s: 301 }));
}

#[test]
fn hostile_headers_are_refused_with_a_reason() {
    let good = sign("{}", SECRET, start());
    let v1 = good.split_once(',').expect("two parts").1;
    let huge = format!("t=1,{}", vec!["v1=00"; 5000].join(","));
    for header in [
        "",
        "t",
        "t=",
        "v1=",
        "t=1",
        v1,
        "t=abc,v1=00",
        "t=-5,v1=00",
        "t=+1,v1=00",
        "t=99999999999999999999,v1=00",
        "t=1,t=2,v1=00",
        "t=1,v0=00",
        "t=1,v1=zz",
        "t=1 ,v1=00",
        "t=1,,v1=00",
        &huge,
    ] {
        let seen = verify(Some(header), b"{}", &[SECRET.into()], start());
        assert!(matches!(seen, Err(SignatureProblem::Malformed(_))), "{header:.80}: {seen:?}");
    }
    assert_eq!(verify(None, b"{}", &[SECRET.into()], start()), Err(SignatureProblem::Missing));
}

#[tokio::test]
async fn what_cannot_be_believed_or_read_is_refused_and_changes_nothing() {
    let world = World::sqlite(settings()).await;
    let org = world.org("acme").await;
    let body = event("evt_1", "checkout.session.completed", start(), session(&org.id.to_string(), "paid"))
        .to_string();
    let unsigned = world.post(PATH, &[], body.clone()).await;
    assert_eq!(unsigned.status, StatusCode::BAD_REQUEST);
    assert!(unsigned.text.contains("Stripe-Signature is missing"), "{}", unsigned.text);
    let stale = sign(&body, SECRET, after(-301));
    let stale = world.post(PATH, &[("stripe-signature", &stale)], body.clone()).await;
    assert_eq!(stale.status, StatusCode::BAD_REQUEST);
    let future = sign(&body, SECRET, after(400));
    let future = world.post(PATH, &[("stripe-signature", &future)], body.clone()).await;
    assert_eq!(future.status, StatusCode::BAD_REQUEST);
    assert!(future.text.contains("future"), "{}", future.text);
    for malformed in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"id":"evt_2","type":"x","created":1}"#,
        r#"{"id":7,"type":"x","created":1,"data":{"object":{}}}"#,
        r#"{"id":"evt_2","type":"x","created":"soon","data":{"object":{}}}"#,
        r#"{"id":"evt_2","type":"x","created":9223372036854775807,"data":{"object":{}}}"#,
    ] {
        let header = sign(malformed, SECRET, start());
        let seen = world.post(PATH, &[("stripe-signature", &header)], malformed).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{malformed}");
        assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let header = sign(&deep, SECRET, start());
    assert_eq!(
        world.post(PATH, &[("stripe-signature", &header)], deep).await.status,
        StatusCode::BAD_REQUEST
    );
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(600 * 1024));
    let seen = world.post(PATH, &[("stripe-signature", "t=1,v1=00")], large).await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE, "before the signature is looked at");
    assert_eq!(world.get(PATH).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.count("SELECT count(*) AS n FROM billing_events").await, 0);
    assert_eq!(world.plan(&org).await, "free");
}

#[tokio::test]
async fn a_replay_is_answered_and_has_no_second_effect() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        let paid =
            event("evt_1", "checkout.session.completed", start(), session(&org.id.to_string(), "paid"));
        world.told(&paid, "applied").await;
        assert_eq!(world.plan(&org).await, "team");
        let outbox = world.outbox().await;
        assert_eq!(outbox, ["billing/session/cs_1/fulfilled/server: The plan Team is active"]);
        world.clock.advance(Duration::from_secs(100));
        world.told(&paid, "replayed").await;
        // Stripe may also tell the same thing in an event of another id.
        let again =
            event("evt_2", "checkout.session.completed", start(), session(&org.id.to_string(), "paid"));
        world.told(&again, "ignored").await;
        assert_eq!(world.outbox().await, outbox);
        assert_eq!(world.count("SELECT count(*) AS n FROM billing_subscriptions").await, 1);
        // The other path is the same webhook.
        let body = paid.to_string();
        let header = sign(&body, NEXT_SECRET, world.app.clock.now());
        let seen = world.post("/api/webhooks/stripe", &[("stripe-signature", &header)], body).await;
        assert_eq!((seen.status, seen.json()["outcome"].as_str()), (StatusCode::OK, Some("replayed")));
    }
}

#[tokio::test]
async fn one_event_delivered_many_times_at_once_has_one_effect() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        let paid =
            event("evt_1", "checkout.session.completed", start(), session(&org.id.to_string(), "paid"));
        let seen = futures_util::future::join_all((0..12).map(|_| world.deliver(&paid))).await;
        let outcomes: Vec<String> =
            seen.iter().map(|s| s.json()["outcome"].as_str().unwrap_or("").to_owned()).collect();
        assert_eq!(outcomes.iter().filter(|o| *o == "applied").count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|o| *o == "replayed").count(), 11, "{outcomes:?}");
        assert_eq!(world.outbox().await.len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_fulfilled_before_it_is_paid() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        let id = org.id.to_string();
        // A bank debit: the subscription is active at Stripe at once, the money is not there for days.
        world
            .told(
                &event("evt_1", "customer.subscription.created", start(), {
                    let mut s = subscription("sub_1", "active", "price_team");
                    s["metadata"] = json!({ "org": id });
                    s
                }),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "free");
        world
            .told(&event("evt_2", "checkout.session.completed", start(), session(&id, "unpaid")), "waiting")
            .await;
        assert_eq!(world.plan(&org).await, "free");
        assert!(world.outbox().await.is_empty());
        world
            .told(
                &event("evt_3", "checkout.session.async_payment_succeeded", after(60), session(&id, "paid")),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "team");
        // The first event comes late, once more under another id: it takes nothing back.
        world
            .told(&event("evt_4", "checkout.session.completed", start(), session(&id, "unpaid")), "ignored")
            .await;
        assert_eq!(world.plan(&org).await, "team");
    }
}

#[tokio::test]
async fn a_payment_that_fails_later_is_told() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        let id = org.id.to_string();
        world
            .told(&event("evt_1", "checkout.session.completed", start(), session(&id, "unpaid")), "waiting")
            .await;
        world
            .told(
                &event("evt_2", "checkout.session.async_payment_failed", after(60), session(&id, "unpaid")),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "free");
        assert_eq!(
            world.outbox().await,
            ["billing/session/cs_1/failed/server: The payment for the plan Team failed"]
        );
    }
}

#[tokio::test]
async fn a_missing_email_a_null_customer_and_expanded_objects_are_fine() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        let mut bare = session(&org.id.to_string(), "paid");
        bare["customer"] = Value::Null;
        bare["customer_details"] = Value::Null;
        bare["subscription"] = json!({ "id": "sub_1", "object": "subscription" });
        world.told(&event("evt_1", "checkout.session.completed", start(), bare), "applied").await;
        assert_eq!(world.plan(&org).await, "team");
        assert!(world.outbox().await.is_empty(), "there is nobody to write to, and that is no error");
    }
}

#[tokio::test]
async fn wrong_content_and_unknown_types_are_stored_and_answered() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        world
            .told(
                &event("evt_1", "radar.early_fraud_warning.created", start(), json!({ "id": "issfr_1" })),
                "ignored",
            )
            .await;
        world
            .told(
                &event("evt_2", "checkout.session.completed", start(), json!({ "odd": [1, { "id": 5 }] })),
                "unreadable",
            )
            .await;
        world
            .told(
                &event(
                    "evt_3",
                    "customer.subscription.updated",
                    start(),
                    json!({ "id": "sub_9", "status": 5 }),
                ),
                "unreadable",
            )
            .await;
        let mut no_subscription = session(&org.id.to_string(), "paid");
        no_subscription["subscription"] = Value::Null;
        world
            .told(&event("evt_4", "checkout.session.completed", start(), no_subscription), "unreadable")
            .await;
        // Another mode than the key's: test money buys nothing on a live server, and the other way about.
        let mut live =
            event("evt_5", "checkout.session.completed", start(), session(&org.id.to_string(), "paid"));
        live["livemode"] = true.into();
        world.told(&live, "ignored").await;
        assert_eq!(world.plan(&org).await, "free");
        assert_eq!(world.count("SELECT count(*) AS n FROM billing_events").await, 5);
        let open = landfall_store::billing::needing_a_person(&world.app.store).await.expect("a query");
        assert_eq!(open.len(), 3);
        assert_eq!(world.get("/api/webhooks/stripe/health").await.json()["needs_a_person"], 3);
    }
}

#[tokio::test]
async fn an_event_of_an_unknown_organisation_is_kept_and_applied_once_the_customer_is_known() {
    for world in World::both(&settings()).await {
        let org = world.org("acme").await;
        // The subscription and its invoice overtake the session, and name nobody but the customer.
        world
            .told(
                &event(
                    "evt_1",
                    "customer.subscription.created",
                    start(),
                    subscription("sub_1", "active", "price_team"),
                ),
                "unassigned",
            )
            .await;
        world.told(&event("evt_2", "invoice.paid", after(1), invoice("in_1", "sub_1")), "unassigned").await;
        world
            .told(
                &event(
                    "evt_3",
                    "customer.subscription.updated",
                    after(5),
                    subscription("sub_1", "active", "price_business"),
                ),
                "unassigned",
            )
            .await;
        assert_eq!(world.get("/api/webhooks/stripe/health").await.json()["needs_a_person"], 3);
        world
            .told(
                &event("evt_4", "checkout.session.completed", after(2), session(&org.id.to_string(), "paid")),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "business", "the newest state of the subscription counts");
        assert_eq!(world.get("/api/webhooks/stripe/health").await.json()["needs_a_person"], 0);
        // One of a stranger stays where the operator sees it.
        let stranger = "01890000-0000-7000-8000-000000000000";
        let mut lost = session(stranger, "paid");
        lost["customer"] = "cus_9".into();
        lost["id"] = "cs_9".into();
        world.told(&event("evt_5", "checkout.session.completed", after(9), lost), "unassigned").await;
        let open = landfall_store::billing::needing_a_person(&world.app.store).await.expect("a query");
        assert_eq!(open.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["evt_5"]);
    }
}

#[tokio::test]
async fn whoever_has_a_payment_link_cannot_buy_for_somebody_else() {
    let world = World::sqlite(settings()).await;
    let org = world.org("acme").await;
    let mut linked = session(&org.id.to_string(), "paid");
    linked["metadata"] = json!({ "plan": "team" });
    linked["payment_link"] = "plink_1".into();
    world.told(&event("evt_1", "checkout.session.completed", start(), linked), "unassigned").await;
    assert_eq!(world.plan(&org).await, "free");
}

#[tokio::test]
async fn events_in_any_order_lead_to_the_same_plan() {
    // All orders of: made, raised to business, cancelled; and the paid session anywhere between.
    let steps = |org: &str| {
        [
            event("evt_a", "checkout.session.completed", after(1), session(org, "paid")),
            event(
                "evt_b",
                "customer.subscription.created",
                after(0),
                subscription("sub_1", "incomplete", "price_team"),
            ),
            event(
                "evt_c",
                "customer.subscription.updated",
                after(0),
                subscription("sub_1", "active", "price_team"),
            ),
            event(
                "evt_d",
                "customer.subscription.updated",
                after(10),
                subscription("sub_1", "active", "price_business"),
            ),
        ]
    };
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| *c != a && *c != b) {
                orders.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        let world = World::sqlite(settings()).await;
        let org = world.org("acme").await;
        let steps = steps(&org.id.to_string());
        for step in order {
            let seen = world.deliver(&steps[step]).await;
            assert_eq!(seen.status, StatusCode::OK);
        }
        assert_eq!(world.plan(&org).await, "business", "{order:?}");
        // It ends: whatever comes after that, however late, does not bring it back.
        world
            .told(
                &event(
                    "evt_e",
                    "customer.subscription.deleted",
                    after(20),
                    subscription("sub_1", "canceled", "price_business"),
                ),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "free", "{order:?}");
        world
            .told(
                &event(
                    "evt_f",
                    "customer.subscription.updated",
                    after(20),
                    subscription("sub_1", "active", "price_business"),
                ),
                "ignored",
            )
            .await;
        assert_eq!(world.plan(&org).await, "free", "{order:?}");
    }
}

#[tokio::test]
async fn a_late_event_never_lowers_the_plan() {
    for world in World::both(&settings()).await {
        let org = paid_org(&world).await;
        world
            .told(
                &event(
                    "evt_1",
                    "customer.subscription.updated",
                    after(100),
                    subscription("sub_1", "active", "price_business"),
                ),
                "applied",
            )
            .await;
        world
            .told(
                &event(
                    "evt_2",
                    "customer.subscription.updated",
                    after(50),
                    subscription("sub_1", "past_due", "price_team"),
                ),
                "ignored",
            )
            .await;
        // The same second, the other way about: the lower one does not win.
        world
            .told(
                &event(
                    "evt_3",
                    "customer.subscription.updated",
                    after(100),
                    subscription("sub_1", "unpaid", "price_business"),
                ),
                "ignored",
            )
            .await;
        assert_eq!(world.plan(&org).await, "business");
        // An old subscription of the same customer ends: the new one is what counts.
        world
            .told(
                &event(
                    "evt_4",
                    "customer.subscription.deleted",
                    after(200),
                    subscription("sub_0", "canceled", "price_team"),
                ),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "business");
    }
}

#[tokio::test]
async fn reminders_go_out_on_their_days_and_end_with_a_payment() {
    for world in World::both(&settings()).await {
        let org = paid_org(&world).await;
        let failed = event("evt_1", "invoice.payment_failed", start(), invoice("in_1", "sub_1"));
        world.told(&failed, "applied").await;
        let sweep = || dunning_sweep(&world.app.store, world.app.clock.now());
        let news = async |sent: &[&str]| {
            let keys: Vec<String> =
                world.outbox().await.into_iter().filter(|k| k.starts_with("billing/in_1")).collect();
            assert_eq!(keys.len(), sent.len(), "{keys:?}");
            sent.iter()
                .zip(&keys)
                .for_each(|(s, k)| assert!(k.starts_with(&format!("billing/in_1/{s}/")), "{k} {s}"));
        };
        assert_eq!(sweep().await.expect("a sweep").0, 1);
        news(&[]).await;
        world.clock.set(after(86_399));
        sweep().await.expect("a sweep");
        news(&[]).await;
        world.clock.set(after(86_400));
        sweep().await.expect("a sweep");
        sweep().await.expect("a second one finds it done");
        news(&["day-1"]).await;
        // Stripe tries again and fails again: the days still count from the first failure.
        world
            .told(
                &event("evt_2", "invoice.payment_failed", after(3 * 86_400), invoice("in_1", "sub_1")),
                "applied",
            )
            .await;
        world.clock.set(after(7 * 86_400));
        sweep().await.expect("a sweep");
        news(&["day-1", "day-7"]).await;
        assert_eq!(world.plan(&org).await, "team", "within the grace nothing is taken away");
        world
            .told(&event("evt_3", "invoice.paid", after(8 * 86_400), invoice("in_1", "sub_1")), "applied")
            .await;
        // The failure comes once more, late.
        world
            .told(
                &event("evt_4", "invoice.payment_failed", after(6 * 86_400), invoice("in_1", "sub_1")),
                "ignored",
            )
            .await;
        world.clock.set(after(30 * 86_400));
        assert_eq!(
            sweep().await.expect("a sweep"),
            (0, "0 unpaid invoices: 0 reminders, 0 downgrades, 0 closed".into())
        );
        news(&["day-1", "day-7"]).await;
        assert_eq!(world.plan(&org).await, "team");
    }
}

#[tokio::test]
async fn when_nobody_pays_the_plan_is_lost_and_a_payment_brings_it_back() {
    for world in World::both(&settings()).await {
        let org = paid_org(&world).await;
        world
            .told(&event("evt_1", "invoice.payment_failed", start(), invoice("in_1", "sub_1")), "applied")
            .await;
        // The server slept through two reminders: the latest is written, not three.
        world.clock.advance(DAY * 15);
        let (_, say) = dunning_sweep(&world.app.store, world.app.clock.now()).await.expect("a sweep");
        assert_eq!(say, "1 unpaid invoices: 1 reminders, 0 downgrades, 0 closed");
        // A clock that is set back sends nothing again.
        world.clock.set(after(3600));
        dunning_sweep(&world.app.store, world.app.clock.now()).await.expect("a sweep");
        world.clock.set(after(21 * 86_400));
        // Two servers sweep at once.
        let (a, b) = tokio::join!(
            dunning_sweep(&world.app.store, world.app.clock.now()),
            dunning_sweep(&world.app.store, world.app.clock.now()),
        );
        a.expect("a sweep");
        b.expect("a sweep");
        assert_eq!(world.plan(&org).await, "free");
        let outbox: Vec<String> =
            world.outbox().await.into_iter().filter(|k| k.starts_with("billing/in_1")).collect();
        assert_eq!(outbox.len(), 2, "{outbox:?}");
        assert!(outbox[0].starts_with("billing/in_1/day-14/"), "{outbox:?}");
        assert!(outbox[1].contains("the plan team was changed to free"), "{outbox:?}");
        // Stripe still calls it past due; that alone does not bring it back.
        world
            .told(
                &event(
                    "evt_2",
                    "customer.subscription.updated",
                    after(22 * 86_400),
                    subscription("sub_1", "past_due", "price_team"),
                ),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "free");
        world
            .told(
                &event("evt_3", "invoice.payment_succeeded", after(23 * 86_400), invoice("in_1", "sub_1")),
                "applied",
            )
            .await;
        assert_eq!(world.plan(&org).await, "team");
    }
}

#[tokio::test]
async fn a_database_that_does_not_take_the_event_is_said_so_and_the_event_works_later() {
    let world = World::sqlite(settings()).await;
    let org = world.org("acme").await;
    let mut large = session(&org.id.to_string(), "paid");
    large["description"] = "x".repeat(200_000).into();
    let paid = event("evt_1", "checkout.session.completed", start(), large);
    // No page more than there are: what a full disk does to a statement.
    let mut tx = world.app.store.begin().await.expect("begin");
    tx.query("PRAGMA max_page_count = 1", params![]).await.expect("a limit");
    tx.commit().await.expect("commit");
    let seen = world.deliver(&paid).await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{seen:?}");
    assert!(seen.header("retry-after").is_some());
    assert_eq!(world.plan(&org).await, "free");
    let mut tx = world.app.store.begin().await.expect("begin");
    tx.query("PRAGMA max_page_count = 1000000", params![]).await.expect("a limit");
    tx.commit().await.expect("commit");
    world.told(&paid, "applied").await;
    assert_eq!(world.plan(&org).await, "team");
}

#[tokio::test]
async fn with_billing_off_no_event_is_taken_and_nothing_is_limited() {
    let world = World::sqlite(Settings::default()).await;
    let org = world.org("acme").await;
    let seen = world
        .deliver(&event("evt_1", "checkout.session.completed", start(), session(&org.id.to_string(), "paid")))
        .await;
    assert_eq!(
        seen.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "Stripe is to come again, not to believe that it was taken"
    );
    let tenant = world.app.store.tenant(org.id);
    assert_eq!(limits_of(&world.app.settings.billing, &tenant).await.expect("limits"), Limits::NONE);
    let owner = world.person(&org, Role::Owner);
    let refused =
        checkout(&world.app, &owner, &CheckoutRequest { plan: "team".into() }).await.expect_err("off");
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn limits_follow_the_plan() {
    let world = World::sqlite(settings()).await;
    let org = world.org("acme").await;
    let tenant = world.app.store.tenant(org.id);
    let limits = limits_of(&world.app.settings.billing, &tenant).await.expect("limits");
    assert_eq!(limits, PLANS[0].limits);
    assert!(check_room("monitors", 9, limits.monitors).is_ok());
    assert_eq!(check_room("monitors", 10, limits.monitors).expect_err("full").status, 402);
    world.run("UPDATE orgs SET plan = 'of-tomorrow'", params![]).await;
    let limits = limits_of(&world.app.settings.billing, &tenant).await.expect("limits");
    assert_eq!(limits, PLANS[0].limits, "a plan that is not known allows what the free one does");
    assert!(PLANS.windows(2).all(|p| p[0].rank < p[1].rank && p[0].limits.monitors < p[1].limits.monitors));
}

/// A double of the two calls that holds the documented rules: key, form, idempotency.
async fn stripe_double() -> (String, crate::testing::Asked) {
    double(|method, path, headers, body| {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
        let error = |status: u16, say: &str| (status, json!({ "error": { "message": say } }).to_string());
        if header("authorization") != "Bearer sk_test_abc" {
            return error(401, "Invalid API Key provided");
        }
        if method != "POST" || header("content-type") != "application/x-www-form-urlencoded" || header("idempotency-key").is_empty() {
            return error(400, "the request is not as documented");
        }
        let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let field = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).unwrap_or_default();
        match path {
            "/v1/checkout/sessions" => {
                for name in ["success_url", "cancel_url", "client_reference_id", "metadata[org]", "metadata[checkout]", "subscription_data[metadata][org]"] {
                    if field(name).is_empty() {
                        return error(400, &format!("Missing required param: {name}."));
                    }
                }
                if field("mode") != "subscription" || field("line_items[0][quantity]") != "1" || field("line_items[0][price]") != "price_team" {
                    return error(400, "No such price");
                }
                // The same key gives the same session.
                let id = format!("cs_{}", header("idempotency-key"));
                (200, json!({ "id": id, "object": "checkout.session", "url": format!("https://checkout.stripe.com/c/{id}") }).to_string())
            }
            "/v1/billing_portal/sessions" if field("customer") == "cus_1" && !field("return_url").is_empty() => {
                (200, json!({ "object": "billing_portal.session", "url": "https://billing.stripe.com/p/1" }).to_string())
            }
            _ => error(404, "Unrecognized request URL"),
        }
    })
    .await
}

#[tokio::test]
async fn a_checkout_goes_to_stripe_and_comes_back_as_a_plan() {
    let (base, asked) = stripe_double().await;
    let mut settings = settings();
    settings.billing.api_base = base;
    for world in World::both(&settings).await {
        let org = world.org("acme").await;
        let owner = world.person(&org, Role::Owner);
        let team = CheckoutRequest { plan: "team".into() };
        assert_eq!(portal(&world.app, &owner).await.expect_err("nothing bought").status, 409);
        asked.lock().expect("asked").clear();
        let first = checkout(&world.app, &owner, &team).await.expect("a checkout");
        let again = checkout(&world.app, &owner, &team).await.expect("the same");
        assert_eq!(first.url, again.url);
        let calls = asked.lock().expect("asked").drain(..).collect::<Vec<_>>();
        assert_eq!(calls.len(), 1, "the second answer needs no call");
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(calls[0].3.as_bytes()).into_owned().collect();
        assert_eq!(form["client_reference_id"], org.id.to_string());
        assert_eq!(form["metadata[checkout]"], calls[0].2["idempotency-key"]);
        // What Stripe then tells carries what it was given.
        let mut paid = session(&org.id.to_string(), "paid");
        paid["id"] = first.url.rsplit('/').next().into();
        paid["metadata"] = json!({ "checkout": form["metadata[checkout]"], "org": form["metadata[org]"], "plan": form["metadata[plan]"] });
        world.told(&event("evt_1", "checkout.session.completed", start(), paid), "applied").await;
        let view = show(&world.app, &owner).await.expect("a view");
        assert_eq!((view.plan.as_str(), view.limits), ("team", PLANS[1].limits));
        assert_eq!(portal(&world.app, &owner).await.expect("a portal").url, "https://billing.stripe.com/p/1");
        assert_eq!(checkout(&world.app, &owner, &team).await.expect_err("twice").status, 409);
    }
}

#[tokio::test]
async fn only_owners_buy_and_faults_of_stripe_are_said() {
    let (base, _) = stripe_double().await;
    let mut settings = settings();
    settings.billing.api_base = base;
    let world = World::sqlite(settings.clone()).await;
    let org = world.org("acme").await;
    let team = CheckoutRequest { plan: "team".into() };
    let reader_key = world.key(&org, &[Scope::Read, Scope::Write]);
    for who in [world.person(&org, Role::Reader), world.person(&org, Role::Admin), reader_key] {
        assert_eq!(checkout(&world.app, &who, &team).await.expect_err("not an owner").status, 403);
    }
    let owner = world.person(&org, Role::Owner);
    let unknown =
        checkout(&world.app, &owner, &CheckoutRequest { plan: "gold".into() }).await.expect_err("unknown");
    assert_eq!(unknown.status, 422);
    // The double sells no business plan: a refusal is a bad gateway, and the next try is a new one.
    let business = CheckoutRequest { plan: "business".into() };
    let refused = checkout(&world.app, &owner, &business).await.expect_err("refused");
    assert_eq!(refused.status, 502);
    assert!(!refused.detail.contains("sk_test"));
    assert_eq!(world.count("SELECT count(*) AS n FROM billing_checkouts WHERE state = 'failed'").await, 1);
    // Nobody answers: it can be tried again, with the same key.
    settings.billing.api_base = nobody();
    let silent = World::on(world.app.store.clone(), settings);
    assert_eq!(checkout(&silent.app, &owner, &team).await.expect_err("silent").status, 503);
    assert_eq!(checkout(&silent.app, &owner, &team).await.expect_err("silent").status, 503);
    assert_eq!(world.count("SELECT count(*) AS n FROM billing_checkouts WHERE plan = 'team'").await, 1);
}

#[test]
fn settings_that_cannot_work_are_named_at_the_start() {
    assert!(settings().billing.problems().is_empty());
    assert!(BillingSettings::default().problems().is_empty(), "off is fine");
    let wrong = BillingSettings {
        secret_key: "https://dashboard.stripe.com".into(),
        webhook_secrets: vec!["sk_test_pasted".into()],
        prices: [("team".to_owned(), "prod_1".to_owned()), ("gold".to_owned(), "price_1".to_owned())].into(),
        ..settings().billing
    };
    let problems = wrong.problems().join("\n");
    for part in [
        "secret_key must be",
        "no signing secret",
        "\"gold\"",
        "prices.team must be",
        "no price for the plan \"business\"",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert!(!problems.contains("pasted"), "a secret in the wrong place is still a secret");
    assert!(!format!("{:?}", settings()).contains("whsec_first"));
}
