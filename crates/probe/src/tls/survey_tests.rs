//! The survey against servers made for it: what each hello offered decides the answer, and every connection is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::{Limits, test_context};

/// What a ClientHello offers, as far as these servers look.
#[derive(Debug, Clone)]
struct Hello {
    version: u16,
    suites: Vec<u16>,
    length: usize,
}

/// What a server does with a hello.
#[derive(Debug, Clone)]
enum Answer {
    /// A ServerHello with version and suite, and the end of the flight.
    Choose(u16, u16),
    Alert(u8),
    /// Closes with bytes unread, which resets the connection.
    Reset,
    /// Says nothing and holds the connection open.
    Silence,
    /// These bytes, and then nothing while the connection stays open.
    Bytes(Vec<u8>),
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3, 3];
    out.extend(u16::try_from(content.len()).expect("a record").to_be_bytes());
    out.extend_from_slice(content);
    out
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(&u32::try_from(body.len()).expect("short").to_be_bytes()[1..]);
    out.extend_from_slice(body);
    out
}

fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.min(0x0303).to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    if version == 0x0304 {
        body.extend([0, 6, 0, 43, 0, 2, 3, 4]);
    }
    message(2, &body)
}

fn flight(version: u16, suite: u16) -> Vec<u8> {
    record(0x16, &[server_hello(version, suite), message(14, &[])].concat())
}

async fn read_hello(stream: &mut TcpStream) -> Option<Hello> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body).await.ok()?;
    let version = u16::from_be_bytes([body[4], body[5]]);
    let at = 4 + 2 + 32 + 1 + usize::from(body[38]);
    let length = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    let suites = body[at + 2..at + 2 + length].chunks(2).map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
    Some(Hello { version, suites, length: body.len() + 5 })
}

/// A server, and how many connections it took.
struct Server {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// `decide` gets the number of the connection, from 0, and its hello.
async fn serve(decide: impl Fn(usize, &Hello) -> Answer + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (taken, open, most) = (Arc::default(), Arc::new(AtomicUsize::new(0)), Arc::default());
    let server = Server { address, taken: Arc::clone(&taken), most: Arc::clone(&most) };
    let decide = Arc::new(decide);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = taken.fetch_add(1, Ordering::SeqCst);
            let (decide, open, most) = (Arc::clone(&decide), Arc::clone(&open), Arc::clone(&most));
            tokio::spawn(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if let Some(hello) = read_hello(&mut stream).await {
                    answer(&mut stream, decide(number, &hello)).await;
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    server
}

async fn answer(stream: &mut TcpStream, answer: Answer) {
    match answer {
        Answer::Choose(version, suite) => {
            let _ = stream.write_all(&flight(version, suite)).await;
        }
        Answer::Alert(code) => {
            let _ = stream.write_all(&record(0x15, &[2, code])).await;
        }
        Answer::Reset => {
            socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).expect("a socket");
            return;
        }
        Answer::Silence => {}
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
    }
    // Held open until the client goes.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

fn quick() -> Context {
    let mut ctx = test_context();
    ctx.limits = Arc::new(Limits { tls: Duration::from_millis(300), ..Limits::default() });
    ctx
}

async fn survey_of(server: &Server) -> TlsSurvey {
    let ctx = quick();
    let handshake =
        super::super::handshake(&ctx, "api.example.test", server.address, Vantage::Edge, None).await;
    let before = server.taken.load(Ordering::SeqCst);
    let seen = survey(&ctx, "api.example.test", server.address, Vantage::Edge, &handshake).await;
    let Seen::TlsSurvey(seen) = seen.seen else { panic!("another kind") };
    let survey = match seen.answer {
        Observed::Present(survey) => *survey,
        other => panic!("{other:?}"),
    };
    let taken = server.taken.load(Ordering::SeqCst) - before;
    assert_eq!(usize::try_from(survey.connections).expect("few"), taken, "what is said is what was made");
    assert!(taken <= 15, "{taken} connections: {survey:#?}");
    assert!(server.most.load(Ordering::SeqCst) <= AT_ONCE, "{survey:#?}");
    assert!(survey.read_byte <= u64::from(HELLOS) * super::super::wire::ANSWER_BYTE as u64);
    survey
}

fn versions(survey: &TlsSurvey) -> Vec<TlsVersion> {
    survey.versions.iter().filter(|v| v.standing.is_offered()).map(|v| v.version).collect()
}

fn classes(survey: &TlsSurvey) -> Vec<SuiteClass> {
    survey.suites.iter().filter(|c| c.standing.is_offered()).map(|c| c.class).collect()
}

fn of(survey: &TlsSurvey, version: TlsVersion) -> &Standing {
    &survey.versions.iter().find(|v| v.version == version).expect("all are there").standing
}

/// Takes the first suite of its own list that is offered, in the lower of the two highest versions.
fn chooses(lowest: u16, highest: u16, list: &'static [u16]) -> impl Fn(usize, &Hello) -> Answer {
    move |_, hello| {
        let version = hello.version.min(highest);
        let suite = list.iter().find(|suite| hello.suites.contains(suite));
        match suite {
            _ if version < lowest => Answer::Alert(70),
            Some(suite) => Answer::Choose(version, *suite),
            None => Answer::Alert(40),
        }
    }
}

#[tokio::test]
async fn ssl3_with_everything_that_is_forbidden_is_found_within_the_budget() {
    let list = &[0x0005, 0x0003, 0x000a, 0x001b, 0x0002, 0x0033, 0x002f];
    let server = serve(chooses(0x0300, 0x0300, list)).await;
    let survey = survey_of(&server).await;
    assert_eq!(versions(&survey), [TlsVersion::Ssl3], "{survey:#?}");
    assert!(matches!(of(&survey, TlsVersion::Tls12), Standing::NotOffered { .. }), "{survey:#?}");
    assert!(matches!(of(&survey, TlsVersion::Tls10), Standing::NotOffered { .. }), "{survey:#?}");
    let worst = [SuiteClass::Export, SuiteClass::Rc4, SuiteClass::TripleDes, SuiteClass::StaticRsa];
    for class in worst {
        assert!(classes(&survey).contains(&class), "{class}: {survey:#?}");
    }
}

#[tokio::test]
async fn each_version_down_to_ssl3_is_found() {
    let server = serve(chooses(0x0300, 0x0303, &[0xc02f, 0x002f])).await;
    let survey = survey_of(&server).await;
    let all = [TlsVersion::Ssl3, TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12];
    assert_eq!(versions(&survey), all, "{survey:#?}");
    assert_eq!(classes(&survey), [SuiteClass::StaticRsa, SuiteClass::Cbc]);
}

#[tokio::test]
async fn one_refusal_is_none() {
    // Refuses the first hello of old versions, and resets every later one.
    let refused = Arc::new(AtomicUsize::new(0));
    let server = serve(move |_, hello| match hello.version {
        0x0303 => chooses(0x0303, 0x0303, &[0xc02f])(0, hello),
        _ if refused.fetch_add(1, Ordering::SeqCst) == 0 => Answer::Alert(70),
        _ => Answer::Reset,
    })
    .await;
    let survey = survey_of(&server).await;
    assert!(matches!(of(&survey, TlsVersion::Tls11), Standing::Open { .. }), "{survey:#?}");
    assert_eq!(versions(&survey), [TlsVersion::Tls12]);
}

#[tokio::test]
async fn resets_and_silences_decide_nothing() {
    for answer in [Answer::Reset, Answer::Silence, Answer::Alert(112), Answer::Alert(80)] {
        let began = Instant::now();
        let what = format!("{answer:?}");
        let server = serve(move |_, _| answer.clone()).await;
        let survey = survey_of(&server).await;
        assert!(
            survey
                .versions
                .iter()
                .all(|v| matches!(v.standing, Standing::Open { .. } | Standing::Unasked { .. })),
            "{what}: {survey:#?}"
        );
        assert!(classes(&survey).is_empty(), "{what}");
        assert!(began.elapsed() < Duration::from_secs(50), "{what} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn alert_80_twice_is_a_refusal_of_a_server_that_is_well() {
    let server = serve(|_, hello| match hello.version {
        0x0303 => chooses(0x0303, 0x0303, &[0xc02f])(0, hello),
        _ => Answer::Alert(80),
    })
    .await;
    let survey = survey_of(&server).await;
    for version in [TlsVersion::Ssl3, TlsVersion::Tls10, TlsVersion::Tls11] {
        assert!(matches!(of(&survey, version), Standing::NotOffered { .. }), "{survey:#?}");
    }
}

#[tokio::test]
async fn a_middlebox_that_reads_one_segment_is_seen() {
    let server = serve(|_, hello| match hello.length {
        0..=1_000 => chooses(0x0303, 0x0303, &[0xc02f])(0, hello),
        _ => Answer::Reset,
    })
    .await;
    let survey = survey_of(&server).await;
    assert!(matches!(survey.large_hello.answer, Observed::Denied(Denial::Reset { .. })), "{survey:#?}");
    assert!(survey.large_hello.small_answered);
}

#[tokio::test]
async fn a_suite_that_nobody_offered_does_not_go_on_for_ever() {
    let server = serve(|_, hello| Answer::Choose(hello.version.min(0x0303), 0x000a)).await;
    let survey = survey_of(&server).await;
    assert!(classes(&survey).contains(&SuiteClass::TripleDes));
}

// ------------------------------------------------------------------------------------------------------ hostile servers

#[tokio::test]
async fn fragments_that_never_end_cost_their_time_and_no_more() {
    let hello = server_hello(0x0303, 0xc02f);
    let cases: Vec<Vec<u8>> = vec![
        // The head of a record alone, half a record, half a message in whole records.
        vec![0x16, 3, 3, 0x40, 0],
        record(0x16, &hello)[..20].to_vec(),
        record(0x16, &hello[..hello.len() - 1]),
        // A message of 16 MiB that has begun.
        record(0x16, &[2, 0xff, 0xff, 0xff, 3, 3]),
    ];
    for bytes in cases {
        let began = Instant::now();
        let given = bytes.clone();
        let server = serve(move |_, _| Answer::Bytes(given.clone())).await;
        let survey = survey_of(&server).await;
        assert!(versions(&survey).is_empty(), "{bytes:02x?}");
        assert!(began.elapsed() < Duration::from_secs(50), "{bytes:02x?} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_a_flight_showed_before_it_broke_off_is_kept() {
    let bytes = record(0x16, &[server_hello(0x0303, 0x002f), vec![11, 0xff, 0xff, 0xff]].concat());
    let server = serve(move |_, _| Answer::Bytes(bytes.clone())).await;
    let (said, read) =
        exchange(&quick(), "api.example.test", server.address, &Offer::of(0x0303, vec![0x002f]), true).await;
    let Said::Shown(shown) = said else { panic!("{said:?}") };
    assert_eq!((shown.suite, shown.done), (0x002f, false));
    assert!(read < 200);
}

#[tokio::test]
async fn a_certificate_of_a_megabyte_is_read_to_the_bound() {
    let mut bytes = record(0x16, &server_hello(0x0303, 0x002f));
    let certificate = message(11, &vec![0x30; 1 << 20]);
    bytes.extend(certificate.chunks(16_000).flat_map(|part| record(0x16, part)));
    let server = serve(move |_, _| Answer::Bytes(bytes.clone())).await;
    let (said, read) =
        exchange(&quick(), "api.example.test", server.address, &Offer::of(0x0303, vec![0x002f]), true).await;
    assert!(matches!(said, Said::Shown(_)), "{said:?}");
    assert_eq!(read, super::super::wire::ANSWER_BYTE, "no byte more is taken in");
}

#[tokio::test]
async fn an_endless_stream_of_records_ends_at_the_bound() {
    // Warnings are passed over, and so are empty records; neither ends.
    for one in [record(0x15, &[1, 112]), record(0x16, &[])] {
        let bytes = one.repeat(200_000);
        let server = serve(move |_, _| Answer::Bytes(bytes.clone())).await;
        let offer = Offer::of(0x0303, vec![0x002f]);
        let (said, read) = exchange(&quick(), "api.example.test", server.address, &offer, true).await;
        assert!(!matches!(said, Said::Shown(_)), "{said:?}");
        assert!(read <= super::super::wire::ANSWER_BYTE, "{read}");
    }
}
