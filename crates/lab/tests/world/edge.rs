//! The edge and the platform behind it.

use std::time::Duration;

use http::Version;
use landfall_lab::Limiter;

use crate::clients::{EDGE, HOST, get, led, plain, request, up, without_local};

const V6: &str = "2606:4700:3032::ac43:9ea4";

#[tokio::test]
async fn the_404_has_the_bytes_and_the_headers_of_the_report() {
    let lab = up(&without_local("levqor-undeployed-limit-raised")).await;
    for version in [Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let answer = get(lab.access(), EDGE, version, HOST, "/api/support/health").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "Not Found"), "{version:?}");
        let names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
        let expected = [
            "date",
            "content-type",
            "content-length",
            "via",
            "alt-svc",
            "cf-cache-status",
            "nel",
            "report-to",
            "server",
            "cf-ray",
        ];
        assert_eq!(names, expected, "{version:?}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("content-length"), "9");
        assert_eq!(answer.header("via"), "1.1 google");
        assert_eq!(answer.header("alt-svc"), "h3=\":443\"; ma=86400");
        assert_eq!(answer.header("cf-cache-status"), "DYNAMIC");
        assert_eq!(answer.header("server"), "cloudflare");
        assert_eq!(answer.header("nel"), r#"{"report_to":"cf-nel","success_fraction":0.0,"max_age":604800}"#);
        assert!(
            answer.header("report-to").starts_with(r#"{"group":"cf-nel","max_age":604800,"endpoints":["#)
        );
        let ray = answer.header("cf-ray").strip_suffix("-SEA").expect("the data centre");
        assert!(ray.len() == 16 && ray.chars().all(|c| c.is_ascii_hexdigit()), "{ray}");
        assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    }
    let head = request(lab.access(), EDGE, Version::HTTP_11, "HEAD", HOST, "/health").await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (404, "", "9"));
    lab.down().await;
}

#[tokio::test]
async fn five_pass_over_all_addresses_and_versions_together_and_the_sixth_is_refused() {
    let mut scenario = without_local("levqor-undeployed");
    // A window that no machine is too slow for; when it closes is tested beside the limiter, with the clock held still.
    let hour = Duration::from_secs(3_600);
    let rule = scenario.world.edge.limiter.as_mut().expect("it has one");
    *rule = Limiter::new(rule.requests, hour);
    let lab = up(&scenario).await;
    let access = lab.access();
    // Port 80 answers without counting.
    let redirect = plain(led(access, EDGE, 80), HOST, "/health?a=1").await;
    assert_eq!((redirect.status, redirect.header("location")), (301, "https://api.levqor.ai/health?a=1"));
    let mixed = [
        (EDGE, Version::HTTP_11),
        ("172.67.158.164", Version::HTTP_2),
        (V6, Version::HTTP_3),
        ("2606:4700:3030::6815:e69", Version::HTTP_2),
        (EDGE, Version::HTTP_3),
    ];
    for (address, version) in mixed {
        assert_eq!(get(access, address, version, HOST, "/health").await.status, 404, "{address} {version:?}");
    }
    for version in [Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let refused = get(access, EDGE, version, HOST, "/api/support/health").await;
        assert_eq!((refused.status, refused.body.as_str()), (429, "error code: 1015"), "{version:?}");
        assert_eq!(refused.header("content-type"), "text/plain; charset=UTF-8");
        assert_eq!(refused.header("content-length"), "16");
        assert_eq!(refused.header("server"), "cloudflare");
        assert!(refused.header("cf-ray").ends_with("-SEA"));
        assert!(!refused.headers.contains_key("via"), "the hop behind never saw it");
        let wait_s: u64 = refused.header("retry-after").parse().expect("whole seconds");
        assert!((1..=hour.as_secs()).contains(&wait_s), "{wait_s}");
    }
    let log = lab.edge_log();
    assert_eq!(log.iter().map(|r| r.status).collect::<Vec<_>>(), [404, 404, 404, 404, 404, 429, 429, 429]);
    assert_eq!(log[2].version, Version::HTTP_3);
    assert_eq!(log[5].request, "GET /api/support/health");
    lab.down().await;
}

#[tokio::test]
async fn an_unknown_host_and_a_platform_that_is_down_get_the_edges_own_text() {
    let mut scenario = without_local("levqor-undeployed-limit-raised");
    scenario.world.platform.running = false;
    let lab = up(&scenario).await;
    let down = get(lab.access(), EDGE, Version::HTTP_2, HOST, "/health").await;
    assert_eq!((down.status, down.body.as_str()), (521, "error code: 521"));
    assert_eq!(down.header("server"), "cloudflare");
    assert!(!down.headers.contains_key("via"));
    // A host within the certificate that the zone does not serve.
    let unknown = get(lab.access(), EDGE, Version::HTTP_11, "www.levqor.ai", "/health").await;
    assert_eq!((unknown.status, unknown.body.as_str()), (409, "error code: 1001"));
    lab.down().await;
}

#[tokio::test]
async fn the_platforms_own_name_answers_without_the_edge() {
    let lab = up(&without_local("levqor-undeployed")).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let answer =
            get(lab.access(), "34.111.179.208", version, "levqor-backend.replit.app", "/health").await;
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.header("via")),
            (404, "Not Found", "1.1 google")
        );
        assert_eq!((answer.header("server"), answer.header("cf-ray")), ("", ""));
    }
    let redirect = plain(led(lab.access(), "34.111.179.208", 80), "levqor-backend.replit.app", "/").await;
    assert_eq!((redirect.status, redirect.header("location")), (301, "https://levqor-backend.replit.app/"));
    lab.down().await;
}
