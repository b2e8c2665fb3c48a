use super::*;
use crate::tree::tests::tree;

/// What is read of files: `tool method host path | statuses | what it says | limit @place`.
fn checks(files: &[(&str, &str)]) -> Vec<String> {
    let (_dir, tree) = tree(files);
    read(&tree)
        .iter()
        .map(|check| {
            let e = &check.expect;
            let status = match e.status.as_slice() {
                [] => "2xx after redirects".to_owned(),
                all if all.len() > 3 => format!("{}..{} ({})", all[0], all[all.len() - 1], all.len()),
                all => format!("{all:?}"),
            };
            let says: Vec<String> =
                e.says.iter().map(ToString::to_string).chain(e.json_keys.iter().cloned()).collect();
            format!(
                "{} {} {}{} | {status} | {} | {:?} @{}",
                check.tool,
                check.method,
                check.host,
                check.path,
                says.join(", "),
                e.within_ms,
                check.place
            )
        })
        .collect()
}

#[track_caller]
fn check(file: &str, text: &str, expected: &[&str]) {
    assert_eq!(checks(&[(file, text)]), expected);
}

#[test]
fn gatus() {
    let text = r#"endpoints:
  - name: api
    url: "https://api.example.test/health?probe=1"
    interval: 60s
    client: { timeout: 5s, ignore-redirect: true }
    conditions:
      - "[STATUS] == 200"
      - "[BODY].status == UP"
      - "[RESPONSE_TIME] < 800"
      - "has([BODY].version) == true"
  - name: page
    url: https://www.example.test/
    method: HEAD
    conditions: ["[STATUS] < 300", "[BODY] == pat(*Welcome*)", "[CERTIFICATE_EXPIRATION] > 48h"]
  - name: off
    enabled: false
    url: https://api.example.test/off
    conditions: ["[STATUS] == 200"]
  - name: inside
    url: https://api.example.test/private
    headers: { Authorization: "Bearer ${TOKEN}" }
    conditions: ["[STATUS] == any(200, 204)"]
  - name: port
    url: tcp://db.example.test:5432
    conditions: ["[CONNECTED] == true"]
"#;
    check(
        "monitoring/config.yaml",
        text,
        &[
            "gatus GET api.example.test/health?probe=1 | [200] | status = UP, version | Some(800) @monitoring/config.yaml:3",
            "gatus HEAD www.example.test/ | 200..308 (105) | `Welcome` | Some(10000) @monitoring/config.yaml:12",
        ],
    );
}

#[test]
fn upptime() {
    let text = "owner: a\nrepo: status\nsites:\n  - name: API\n    url: https://api.example.test/ping\n    expectedStatusCodes: [200, 204]\n    maxRedirects: 0\n    __dangerous__body_down_if_text_missing: pong\n  - name: db\n    check: tcp-ping\n    url: db.example.test\n  - name: var\n    url: $SECRET_SITE\n  - name: plain\n    url: https://example.test\n    headers: [\"X-Api-Key: $KEY\"]\n  - name: bare\n    url: https://api.example.test/bare\n";
    check(
        ".upptimerc.yml",
        text,
        &[
            "upptime GET api.example.test/ping | [200, 204] | `pong` | None @.upptimerc.yml:5",
            "upptime GET api.example.test/bare | 200..308 (17) |  | None @.upptimerc.yml:18",
        ],
    );
    check("sites.yml", text, &[]);
}

#[test]
fn prometheus_with_its_exporters_modules() {
    let jobs = "scrape_configs:\n  - job_name: own\n    static_configs: [{ targets: ['localhost:9090'] }]\n  - job_name: web\n    metrics_path: /probe\n    params: { module: [ready] }\n    static_configs:\n      - targets:\n          - https://api.example.test/ready\n          - http://api.example.test/plain\n  - job_name: up\n    metrics_path: /probe\n    params:\n      module: [http_2xx]\n    static_configs:\n      - targets: ['https://api.example.test/up']\n  - job_name: unknown\n    metrics_path: /probe\n    params: { module: [internal] }\n    static_configs: [{ targets: ['https://api.example.test/x'] }]\n";
    let modules = "modules:\n  ready:\n    prober: http\n    timeout: 2s\n    http:\n      method: HEAD\n      follow_redirects: false\n      fail_if_body_not_matches_regexp: ['\"ok\"\\s*:\\s*true']\n  tls:\n    prober: tcp\n";
    assert_eq!(
        checks(&[("a/prometheus.yml", jobs), ("b/blackbox.yml", modules)]),
        [
            "blackbox-exporter HEAD api.example.test/ready | 200..226 (8) | `\"ok\"\\s*:\\s*true` (a pattern) | Some(2000) @a/prometheus.yml:9",
            "blackbox-exporter GET api.example.test/up | 2xx after redirects |  | None @a/prometheus.yml:16",
        ]
    );
    let probe = "apiVersion: monitoring.coreos.com/v1\nkind: Probe\nspec:\n  module: http_2xx\n  targets:\n    staticConfig:\n      static:\n        - https://api.example.test/healthz\n";
    check(
        "probe.yaml",
        probe,
        &["blackbox-exporter GET api.example.test/healthz | 2xx after redirects |  | None @probe.yaml:8"],
    );
}

#[test]
fn terraform() {
    let text = r#"# monitors
resource "betteruptime_monitor" "api" {
  url                = "https://api.example.test/health" // the API
  monitor_type       = "keyword"
  required_keyword   = "\"status\":\"ok\""
  request_timeout    = 5
  follow_redirects   = false
}
resource "betteruptime_monitor" "built" {
  url          = "https://${var.host}/health"
  monitor_type = "status"
}
resource "aws_route53_health_check" "api" {
  fqdn          = "api.example.test"
  type          = "HTTPS_STR_MATCH"
  resource_path = "/status"
  search_string = "alive"
  port          = 443
}
resource "google_monitoring_uptime_check_config" "api" {
  display_name = "api"
  timeout      = "10s"
  http_check {
    path         = "/healthz"
    use_ssl      = true
    accepted_response_status_codes { status_value = 204 }
  }
  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = "api.example.test" }
  }
  content_matchers {
    content = <<-EOT
      x
    EOT
  }
}
resource "statuscake_uptime_check" "api" {
  name           = "api"
  check_interval = 300
  http_check {
    timeout          = 3
    request_method   = "HEAD"
  }
  monitored_resource { address = "https://api.example.test/" }
}
resource "datadog_synthetics_test" "api" {
  request_definition {
    method = "GET"
    url    = "https://api.example.test/v1/ping"
  }
  assertion {
    type     = "responseTime"
    operator = "lessThan"
    target   = "2000"
  }
  assertion {
    type     = "statusCode"
    operator = "is"
    target   = "200"
  }
}
resource "checkly_check" "off" {
  activated = false
  request { url = "https://api.example.test/off" }
}
resource "digitalocean_uptime_check" "api" {
  target = "https://api.example.test/do"
}
resource "aws_instance" "x" { ami = "https://api.example.test/no" }
"#;
    check(
        "infra/monitors.tf",
        text,
        &[
            "betteruptime_monitor GET api.example.test/health | 200..226 (8) | `\"status\":\"ok\"` | Some(5000) @infra/monitors.tf:2",
            "aws_route53_health_check GET api.example.test/status | 200..399 (200) | `alive` | None @infra/monitors.tf:13",
            "google_monitoring_uptime_check_config GET api.example.test/healthz | 204..308 (6) |  | Some(10000) @infra/monitors.tf:20",
            "statuscake_uptime_check HEAD api.example.test/ | 200..226 (8) |  | None @infra/monitors.tf:38",
            "datadog_synthetics_test GET api.example.test/v1/ping | [200] |  | None @infra/monitors.tf:47",
            "digitalocean_uptime_check GET api.example.test/do | 2xx after redirects |  | None @infra/monitors.tf:67",
        ],
    );
    for broken in [
        "resource \"a\" \"b\" {",
        "resource \"betteruptime_monitor\" \"b\" { url = [[[[",
        "\"\\",
        "<<",
        "/*",
        "resource \"x\" \"y\" { a = \"${\"",
    ] {
        check("x.tf", broken, &[]);
    }
}

#[test]
fn terraform_of_five_services_more() {
    let text = r#"resource "uptimerobot_monitor" "word" {
  type          = "keyword"
  keyword_type  = "not exists"
  keyword_value = "Welcome"
  url           = "https://api.example.test/word"
}
resource "uptimerobot_monitor" "error" {
  type          = "KEYWORD"
  keyword_type  = "ALERT_EXISTS"
  keyword_value = "maintenance"
  url           = "https://api.example.test/error"
}
resource "pingdom_check" "api" {
  type          = "http"
  host          = "api.example.test"
  url           = "/pingdom"
  encryption    = true
  shouldcontain = "ok"
}
resource "pingdom_check" "plain" {
  type = "http"
  host = "api.example.test"
}
resource "grafana_synthetic_monitoring_check" "api" {
  target  = "https://api.example.test/grafana"
  timeout = 3000
  settings {
    http {
      valid_status_codes              = [200, 204]
      no_follow_redirects             = true
      fail_if_body_not_matches_regexp = ["\"status\":\"ok\""]
    }
  }
}
resource "azurerm_application_insights_standard_web_test" "api" {
  timeout = 30
  request { url = "https://api.example.test/azure" }
  validation_rules {
    expected_status_code = 200
    content {
      content_match      = "healthy"
      ignore_case        = true
      pass_if_text_found = true
    }
  }
}
resource "checkly_check" "api" {
  max_response_time = 2000
  request {
    url              = "https://api.example.test/checkly"
    follow_redirects = false
    assertion {
      source     = "STATUS_CODE"
      comparison = "EQUALS"
      target     = "200"
    }
  }
}
resource "datadog_synthetics_test" "off" {
  status = "paused"
  request_definition { url = "https://api.example.test/datadog" }
}
"#;
    check(
        "monitors.tf",
        text,
        &[
            "uptimerobot_monitor GET api.example.test/word | 2xx after redirects | `Welcome` | None @monitors.tf:1",
            "uptimerobot_monitor GET api.example.test/error | 2xx after redirects | no `maintenance` | None @monitors.tf:7",
            "pingdom_check GET api.example.test/pingdom | 2xx after redirects | `ok` | None @monitors.tf:13",
            "grafana_synthetic_monitoring_check GET api.example.test/grafana | [200, 204] | `\"status\":\"ok\"` (a pattern) | Some(3000) @monitors.tf:24",
            "azurerm_application_insights_standard_web_test GET api.example.test/azure | 200..308 (6) | `(?i)healthy` (a pattern) | Some(30000) @monitors.tf:35",
            "checkly_check GET api.example.test/checkly | [200] |  | Some(2000) @monitors.tf:47",
        ],
    );
}

#[test]
fn checkly_and_an_export_of_uptime_kuma() {
    let text = r#"import { ApiCheck, AssertionBuilder } from "checkly/constructs";
new ApiCheck("health", {
  name: "Health",
  maxResponseTime: 10_000,
  request: {
    method: "GET",
    url: "https://api.example.test/health",
    followRedirects: false,
    assertions: [
      AssertionBuilder.statusCode().equals(200),
      AssertionBuilder.jsonBody("$.status").equals("healthy"),
      AssertionBuilder.responseTime().lessThan(2000),
    ],
  },
});
new ApiCheck("private", {
  request: { url: "https://api.example.test/me", headers: [{ key: "Authorization", value: "Bearer x" }] },
});
"#;
    check(
        "__checks__/api.check.ts",
        text,
        &[
            "checkly GET api.example.test/health | [200] | status = healthy | Some(2000) @__checks__/api.check.ts:2",
        ],
    );
    check("src/api.ts", text, &[]);

    let kuma = r#"{"version": "1.23.11", "monitorList": [
  {"name": "api", "type": "keyword", "url": "https://api.example.test/health", "method": "GET", "active": 1,
   "maxredirects": 0, "accepted_statuscodes": ["200-299"], "keyword": "ok", "invertKeyword": false, "timeout": 48},
  {"name": "gone", "type": "http", "url": "https://api.example.test/old", "active": 0},
  {"name": "odd", "type": "http", "url": "https://api.example.test/upside", "active": true, "upsideDown": true},
  {"name": "plain", "type": "http", "url": "https://api.example.test/plain", "active": true, "keyword": "ok"}
]}"#;
    check(
        "ops/kuma-backup.json",
        kuma,
        &[
            "uptime-kuma GET api.example.test/health | 200..299 (100) | `ok` | Some(48000) @ops/kuma-backup.json:2",
            "uptime-kuma GET api.example.test/plain | 2xx after redirects |  | None @ops/kuma-backup.json:6",
        ],
    );
}

#[test]
fn scripts_and_workflows() {
    let script = "#!/bin/sh\n# curl -f https://api.example.test/comment\ncurl -fsS --max-time 5 https://api.example.test/health | grep -q '\"status\":\"ok\"'\ncurl -fsSI \\\n  https://api.example.test/head\ncurl -fsSL https://get.example.test/install.sh | sh\ncurl -X POST -f -d x https://api.example.test/items\ncurl https://api.example.test/any\ncurl -f -H \"Authorization: Bearer $T\" https://api.example.test/me\nwget -q --spider https://api.example.test/spider\ncurl -sS https://api.example.test/v | grep -iE 'v(1|2)'\ncurl -f https://api.example.test/semi; echo ok | grep no\n";
    check(
        "scripts/smoke.sh",
        script,
        &[
            "curl GET api.example.test/health | 200..308 (13) | `\"status\":\"ok\"` (a pattern) | Some(5000) @scripts/smoke.sh:3",
            "curl HEAD api.example.test/head | 200..308 (13) |  | None @scripts/smoke.sh:4",
            "curl GET get.example.test/install.sh | 2xx after redirects |  | None @scripts/smoke.sh:6",
            "wget HEAD api.example.test/spider | 2xx after redirects |  | None @scripts/smoke.sh:10",
            "curl GET api.example.test/v | 100..599 (500) | `(?i)v(1|2)` (a pattern) | None @scripts/smoke.sh:11",
            "curl GET api.example.test/semi | 200..308 (13) |  | None @scripts/smoke.sh:12",
        ],
    );
    let workflow = "on: { schedule: [{ cron: '*/5 * * * *' }] }\njobs:\n  smoke:\n    steps:\n      - run: curl --fail --silent \"https://api.example.test/up?a=1&b=2\"\n";
    check(
        ".github/workflows/smoke.yml",
        workflow,
        &["curl GET api.example.test/up?a=1&b=2 | 200..308 (13) |  | None @.github/workflows/smoke.yml:5"],
    );
    check("config/x.yml", workflow, &[]);
    // What is forgiven checks nothing.
    for end in ["|| true", "|| :", "|| echo 'not up yet'", "| grep -q ok || exit 0"] {
        check("smoke.sh", &format!("curl -fsS https://api.example.test/health {end}\n"), &[]);
    }
    check(
        "smoke.sh",
        "curl -fsS https://api.example.test/health || exit 1\n",
        &["curl GET api.example.test/health | 200..308 (13) |  | None @smoke.sh:1"],
    );
}

#[test]
fn what_carries_a_secret_or_no_https_is_left_out() {
    let of = |url: &str| {
        format!("endpoints:\n  - name: a\n    url: \"{url}\"\n    conditions: [\"[STATUS] == 200\"]\n")
    };
    for url in [
        "https://user:pass@api.example.test/",
        "https://api.example.test/?token=abcdef0123456789",
        "http://api.example.test/",
        "https://api.example.test:8443/",
        "https://${HOST}/health",
        "not a url",
    ] {
        check("gatus.yaml", &of(url), &[]);
    }
    check(
        "gatus.yaml",
        &of("https://API.example.test./x"),
        &["gatus GET api.example.test/x | 200..308 (6) |  | Some(10000) @gatus.yaml:3"],
    );
}

#[test]
fn statuses_and_durations() {
    assert_eq!(statuses("200-202"), [200, 201, 202]);
    assert_eq!(statuses("2xx").len(), 100);
    for nonsense in ["", "9xx", "200-", "700", "99-1000", "x"] {
        assert_eq!(statuses(nonsense), [0; 0], "{nonsense}");
    }
    assert_eq!(
        (millis("1.5s", 1), millis("250ms", 1_000), millis("10", 1_000)),
        (Some(1_500), Some(250), Some(10_000))
    );
    for nonsense in ["", "s", "-1s", "1h", "1e9", "99999999s"] {
        assert_eq!(millis(nonsense, 1_000), None, "{nonsense}");
    }
}

/// What a check says in words that this does not read would make of a check that is well one that is not.
#[test]
fn a_check_that_is_not_read_whole_is_left_out() {
    let terraform = |kind: &str, body: &str| format!("resource \"{kind}\" \"x\" {{\n{body}\n}}\n");
    let address = "monitored_resource { address = \"https://api.example.test/\" }";
    for (kind, body) in [
        ("statuscake_uptime_check", format!("{address}\nhttp_check {{\n status_codes = [\"500\", \"503\"]\n}}")),
        ("aws_route53_health_check", "type = \"HTTPS\"\nfqdn = \"api.example.test\"\nport = 8443".to_owned()),
        ("aws_route53_health_check", "type = \"HTTPS\"\nfqdn = \"api.example.test\"\ninvert_healthcheck = true".to_owned()),
        ("digitalocean_uptime_check", "target = \"https://api.example.test\"\ntype = \"ping\"".to_owned()),
        (
            "checkly_check",
            "should_fail = true\nrequest {\n url = \"https://api.example.test/no\"\n}".to_owned(),
        ),
        (
            "checkly_check",
            "request {\n url = \"https://api.example.test/\"\n assertion {\n  source = \"STATUS_CODE\"\n  comparison = \"LESS_THAN\"\n  target = \"500\"\n }\n}".to_owned(),
        ),
        ("pingdom_check", "type = \"http\"\nencryption = true\nhost = \"api.example.test\"\npostdata = \"x=1\"".to_owned()),
        ("uptimerobot_monitor", "type = \"http\"\nurl = \"https://api.example.test\"\nis_paused = true".to_owned()),
        ("uptimerobot_monitor", "type = \"http\"\nurl = \"https://api.example.test\"\nhttp_username = \"u\"".to_owned()),
    ] {
        check("m.tf", &terraform(kind, &body), &[]);
    }
    check(
        "m.tf",
        &terraform(
            "statuscake_uptime_check",
            &format!("{address}\nhttp_check {{\n request_method = \"HTTP\"\n}}"),
        ),
        &["statuscake_uptime_check GET api.example.test/ | 200..226 (8) |  | None @m.tf:1"],
    );
    for script in [
        "curl -fsS -XPOST https://api.example.test/items",
        "curl -fsSu me:word https://api.example.test/me",
        "curl -f -T file https://api.example.test/up",
        "wget -q --post-data=x https://api.example.test/items",
        "wget -q --user=me https://api.example.test/me",
    ] {
        let found = checks(&[("smoke.sh", script)]);
        assert!(found.iter().all(|check| !check.contains(" GET ")), "{script}: {found:?}");
    }
    check(
        "smoke.sh",
        "wget -q -T 5 https://api.example.test/\n",
        &["wget GET api.example.test/ | 2xx after redirects |  | None @smoke.sh:1"],
    );
    let construct =
        "new ApiCheck('a', { shouldFail: true, request: { url: 'https://api.example.test/no' } })";
    check("a.check.ts", construct, &[]);
}
