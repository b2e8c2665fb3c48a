//! Mail by a real mail server: Debian's Exim, on loopback, with its own spool.

use crate::desk::{Desk, message};
use landfall_notify::testkit::{Authority, Exim};
use landfall_notify::{Event, OutboundSettings, Secret, SmtpSecurity, SmtpSettings, outbox};
use landfall_store::testkit::TestDb;
use serde_json::json;

fn plain(server: &Exim) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".into(),
        port: Some(server.port),
        security: SmtpSecurity::None,
        username: None,
        password: None,
        from: "Landfall <alerts@watch.example>".into(),
    }
}

fn signed_in(server: &Exim, security: SmtpSecurity, password: &str) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port: Some(if security == SmtpSecurity::Tls { server.tls_port } else { server.port }),
        security,
        username: Some("user".into()),
        password: Some(Secret::new(password)),
        ..plain(server)
    }
}

async fn desk(smtp: SmtpSettings, roots: &[&Authority]) -> Desk {
    let settings = OutboundSettings {
        smtp: Some(smtp),
        extra_roots: roots.iter().map(|a| a.root()).collect(),
        ..OutboundSettings::default()
    };
    Desk::with(TestDb::sqlite().await, settings).await
}

#[tokio::test]
async fn an_incident_is_a_thread_of_mails_that_arrive_whole() {
    let server = Exim::start(None);
    let desk = desk(plain(&server), &[]).await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example", "ada@test.example"] })).await;
    for event in [Event::Down, Event::Cause, Event::Up] {
        desk.say("i1", event).await;
        let stats = desk.pass().await;
        assert_eq!(stats.delivered, 1, "{:?}\n{}", desk.deliveries().await, server.log());
    }
    assert_eq!(server.mails("ada", 3).await.len(), 3);
    let mails = server.mails("ops", 3).await;
    let mut ids = Vec::new();
    for mail in &mails {
        let of = |name: &str| mail.header(name).unwrap_or_else(|| panic!("no {name}: {}", mail.head));
        assert_eq!(of("from"), "Landfall <alerts@watch.example>");
        assert_eq!(of("return-path"), "<alerts@watch.example>");
        assert_eq!(of("to"), "ops@test.example, ada@test.example");
        assert!(of("subject").starts_with("[Levqor] "), "{}", of("subject"));
        assert_eq!(of("auto-submitted"), "auto-generated");
        assert_eq!(of("references"), mails[0].header("references").expect("a thread"));
        assert_eq!(of("in-reply-to"), of("references"));
        assert!(of("content-type").starts_with("multipart/alternative"));
        assert!(of("date").starts_with("Wed, 25 Nov 2026 02:14:05"), "the injected clock: {}", of("date"));
        for part in
            ["text/plain", "text/html", "The application was never deployed (confirmed, 99 %)", "deploy it"]
        {
            assert!(mail.body.contains(part), "{part}: {}", mail.body);
        }
        ids.push(of("message-id"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each mail has its own id");
}

#[tokio::test]
async fn one_bad_address_keeps_nobody_else_from_hearing() {
    let server = Exim::start(None);
    let desk = desk(plain(&server), &[]).await;
    desk.channel("mail", "email", json!({ "to": ["nobody@test.example", "ops@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.delivered, 1);
    assert_eq!(server.mails("ops", 1).await.len(), 1);
    let say = desk.deliveries().await.pop().expect("one").say;
    assert!(say.contains("refused for nobody@test.example") && say.contains("no such user here"), "{say}");
}

#[tokio::test]
async fn a_refusal_of_all_is_final_and_keeps_the_server_s_words() {
    let server = Exim::start(None);
    let desk = desk(plain(&server), &[]).await;
    desk.channel("mail", "email", json!({ "to": ["nobody@test.example"] })).await;
    desk.channel("relay", "email", json!({ "to": ["somebody@elsewhere.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.dead, 2);
    for delivery in desk.deliveries().await {
        assert_eq!(delivery.status, Some(550));
        assert!(
            delivery.say.contains("no such user here") || delivery.say.contains("relay not permitted"),
            "{}",
            delivery.say
        );
    }
}

#[tokio::test]
async fn a_greylist_is_waited_out_and_who_has_the_mail_gets_it_once() {
    let server = Exim::start(None);
    let desk = desk(plain(&server), &[]).await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example", "grey@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    let attempt = desk.deliveries().await.pop().expect("one");
    assert_eq!(attempt.status, Some(451));
    assert!(
        attempt.say.contains("1 of 2 not reached yet") && attempt.say.contains("greylisted"),
        "{}",
        attempt.say
    );
    server.lift_greylist();
    desk.clock.advance(13);
    assert_eq!(desk.pass().await.delivered, 1);
    assert_eq!(server.mails("grey", 1).await.len(), 1);
    assert_eq!(server.mails("ops", 1).await.len(), 1, "not twice");
}

#[tokio::test]
async fn starttls_and_tls_with_a_private_authority_and_a_password() {
    let authority = Authority::new();
    let server = Exim::start(Some(&authority));
    for (n, security) in [SmtpSecurity::Starttls, SmtpSecurity::Tls].into_iter().enumerate() {
        let desk = desk(signed_in(&server, security, "right-password"), &[&authority]).await;
        desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
        desk.say("i1", Event::Down).await;
        let stats = desk.pass().await;
        assert_eq!(stats.delivered, 1, "{:?}\n{}", desk.deliveries().await, server.log());
        let mails = server.mails("ops", n + 1).await;
        let received = mails[n].header("received").expect("a trace");
        assert!(received.contains("esmtpsa"), "encrypted and signed in: {received}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_final_and_is_said_by_nobody() {
    let authority = Authority::new();
    let server = Exim::start(Some(&authority));
    let desk = desk(signed_in(&server, SmtpSecurity::Starttls, "wrong-password"), &[&authority]).await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.dead, 1);
    let attempt = desk.deliveries().await.pop().expect("one");
    assert_eq!(attempt.status, Some(535), "{}", attempt.say);
    assert!(attempt.say.contains("signing in") && !attempt.say.contains("wrong-password"), "{}", attempt.say);
    assert!(server.mailbox("ops").is_empty());
}

#[tokio::test]
async fn nothing_goes_to_a_server_whose_certificate_or_starttls_is_missing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Exim::start(Some(&authority));
    for security in [SmtpSecurity::Starttls, SmtpSecurity::Tls] {
        let desk = desk(signed_in(&server, security, "right-password"), &[&stranger]).await;
        desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
        desk.say("i1", Event::Down).await;
        assert_eq!(desk.pass().await.retried, 1, "{security:?}");
        let say = desk.deliveries().await.pop().expect("one").say;
        assert!(say.contains("certificate") || say.contains("UnknownIssuer"), "{say}");
    }
    assert!(server.mailbox("ops").is_empty());
    assert!(!server.log().contains("A=plain"), "the password never left: {}", server.log());
    // A server without STARTTLS, or somebody in between who took it out.
    let bare = Exim::start(None);
    let desk = desk(signed_in(&bare, SmtpSecurity::Starttls, "right-password"), &[&authority]).await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    assert!(desk.deliveries().await.pop().expect("one").say.contains("no STARTTLS"));
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_or_says_too_much_is_tried_again() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for n in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            match n {
                // Silent.
                0 => kept.push(stream),
                // An answer without an end.
                _ => {
                    let line = [b'2'; 4096];
                    while stream.write_all(&line).await.is_ok() {}
                }
            }
        }
    });
    let settings = OutboundSettings {
        smtp: Some(SmtpSettings {
            host: "127.0.0.1".into(),
            port: Some(port),
            security: SmtpSecurity::None,
            username: None,
            password: None,
            from: "l@watch.example".into(),
        }),
        deadline: Some(std::time::Duration::from_millis(500)),
        ..OutboundSettings::default()
    };
    let desk = Desk::with(TestDb::sqlite().await, settings).await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    assert!(desk.deliveries().await.pop().expect("one").say.contains("did not answer"));
    desk.clock.advance(13);
    assert_eq!(desk.pass().await.retried, 1);
    let say = desk.deliveries().await.pop().expect("one").say;
    assert!(say.contains("too much"), "{say}");
    let dead = landfall_ports::claimed();
    let away = json!({ "host": "127.0.0.1", "port": dead, "security": "none", "from": "l@watch.example" });
    desk.channel("away", "email", json!({ "to": ["ops@test.example"], "smtp": away })).await;
    desk.say_to(Some(&["away".to_owned()]), "i2", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    assert!(desk.deliveries().await.pop().expect("one").say.contains("cannot be reached"));
}

#[tokio::test]
async fn a_channel_may_have_a_server_of_its_own_and_the_server_s_own_mail_leaves_by_the_operator_s() {
    let (operators, own) = (Exim::start(None), Exim::start(None));
    let desk = desk(plain(&operators), &[]).await;
    let smtp =
        json!({ "host": "127.0.0.1", "port": own.port, "security": "none", "from": "team@watch.example" });
    desk.channel("mail", "email", json!({ "to": ["ops@test.example"], "smtp": smtp })).await;
    desk.say("i1", Event::Down).await;
    let mut tx = desk.store.begin().await.expect("begins");
    let to = ["new@test.example".to_owned()];
    let mut invitation = message("x", Event::Notice);
    invitation.headline = "Ada invites you to Levqor".into();
    invitation.incident = None;
    let now = desk.clock.now();
    for first in [true, false] {
        let org = desk.tenant.id();
        let written =
            outbox::enqueue_mail(&mut tx, org, &to, "invitation/1", "invitation/1", &invitation, now).await;
        assert_eq!(written.expect("written"), first, "once, however often it is asked for");
    }
    tx.commit().await.expect("kept");
    assert_eq!(desk.pass().await.delivered, 2);
    assert_eq!(own.mails("ops", 1).await[0].header("from").as_deref(), Some("team@watch.example"));
    let mail = &operators.mails("new", 1).await[0];
    assert_eq!(mail.header("subject").as_deref(), Some("[Levqor] Ada invites you to Levqor"));
    assert_eq!(mail.header("references"), None);
    assert!(operators.mailbox("ops").is_empty());
}
