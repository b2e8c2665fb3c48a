//! Monitors of hosted services as Terraform or OpenTofu describes them.
//!
//! Source: the registry's pages of each resource: BetterStackHQ/better-uptime (betteruptime_monitor), StatusCakeDev/statuscake
//! (statuscake_uptime_check), hashicorp/google (google_monitoring_uptime_check_config), hashicorp/aws
//! (aws_route53_health_check), digitalocean/digitalocean (digitalocean_uptime_check), checkly/checkly (checkly_check),
//! russellcardullo/pingdom (pingdom_check), DataDog/datadog (datadog_synthetics_test), grafana/grafana
//! (grafana_synthetic_monitoring_check), hashicorp/azurerm (azurerm_application_insights_standard_web_test),
//! vexxhost/uptimerobot (uptimerobot_monitor).

use landfall_evidence::Says;

use super::{Found, is_credential, millis, statuses};
use crate::hcl::{Resource, resources};

/// The checks of a file.
pub(super) fn read(file: &str, text: &str) -> Vec<Found> {
    resources(text)
        .into_iter()
        .filter(|resource| !resource.is_data)
        .filter_map(|resource| {
            let place = format!("{file}:{}", resource.line);
            Some(Found { tool: resource.kind.clone(), place, ..check(&resource)? })
        })
        .collect()
}

/// What a resource asks, where its type is one that monitors.
fn check(resource: &Resource) -> Option<Found> {
    let get = |path: &str| resource.get(path);
    let yes = |path: &str| get(path) == Some("true");
    let no = |path: &str| get(path) == Some("false");
    let own = |path: &str| get(path).map(str::to_owned);
    let within = |path: &str, unit_ms: u64| get(path).and_then(|text| millis(text, unit_ms));
    let text = |path: &str| own(path).map(Says::Text).into_iter().collect::<Vec<_>>();
    let other_port = |path: &str| resource.has(path) && get(path) != Some("443");
    // A value that is there and is put together elsewhere cannot be known.
    let codes = |path: &str| resource.all(path).flat_map(statuses).collect::<Vec<_>>();
    let mut found = match resource.kind.as_str() {
        "betteruptime_monitor" => Found {
            signs_in: resource.has("auth_username"),
            url: own("url")?,
            method: own("http_method"),
            status: codes("expected_status_codes"),
            follows: !no("follow_redirects"),
            says: match get("monitor_type")? {
                "status" | "expected_status_code" => Vec::new(),
                "keyword" => text("required_keyword"),
                "keyword_absence" => own("required_keyword").map(Says::Not).into_iter().collect(),
                _ => return None,
            },
            within_ms: within("request_timeout", 1_000),
            ..Found::default()
        },
        "uptimerobot_monitor" => Found {
            url: own("url")?,
            // Without one the provider asks with HEAD, but where a word is sought.
            method: own("http_method")
                .or_else(|| own("http_method_type"))
                .or_else(|| matches!(get("type"), Some("http" | "HTTP")).then(|| "HEAD".to_owned())),
            status: codes("success_http_response_codes"),
            follows: !no("follow_redirections"),
            signs_in: resource.has("http_username"),
            // The type of a keyword says when there is an alarm: where the word is, or where it is not.
            says: match (get("type"), get("keyword_type")) {
                (Some("keyword" | "KEYWORD"), Some("not exists" | "ALERT_NOT_EXISTS")) => {
                    text("keyword_value")
                }
                (Some("keyword" | "KEYWORD"), Some("exists" | "ALERT_EXISTS")) => {
                    own("keyword_value").map(Says::Not).into_iter().collect()
                }
                (Some("http" | "HTTP"), _) => Vec::new(),
                _ => return None,
            },
            ..Found::default()
        },
        // Its codes are those that raise an alarm: what it takes for good is the rest.
        "statuscake_uptime_check"
            if resource.has("http_check.status_codes") || resource.has("http_check.request_payload") =>
        {
            return None;
        }
        "statuscake_uptime_check" => Found {
            url: own("monitored_resource.address")?,
            method: own("http_check.request_method").filter(|method| method == "HEAD"),
            follows: yes("http_check.follow_redirects"),
            says: match get("http_check.content_matchers.matcher") {
                Some("NOT_CONTAINS_STRING") => {
                    own("http_check.content_matchers.content").map(Says::Not).into_iter().collect()
                }
                _ => text("http_check.content_matchers.content"),
            },
            // Its time-out is that of the first byte.
            signs_in: resource.has("http_check.basic_authentication"),
            ..Found::default()
        },
        "google_monitoring_uptime_check_config" => {
            if !yes("http_check.use_ssl") || other_port("http_check.port") {
                return None;
            }
            let content = own("content_matchers.content");
            Found {
                url: joined(get("monitored_resource.labels.host")?, get("http_check.path").unwrap_or("/")),
                method: own("http_check.request_method"),
                status: resource
                    .all("http_check.accepted_response_status_codes.status_class")
                    .flat_map(|class| match class {
                        "STATUS_CLASS_ANY" => (100..600).collect(),
                        class => statuses(&class.trim_start_matches("STATUS_CLASS_").to_ascii_lowercase()),
                    })
                    .chain(codes("http_check.accepted_response_status_codes.status_value"))
                    .collect(),
                follows: true,
                says: match (get("content_matchers.matcher"), content) {
                    (None | Some("CONTAINS_STRING"), Some(content)) => vec![Says::Text(content)],
                    (Some("NOT_CONTAINS_STRING"), Some(content)) => vec![Says::Not(content)],
                    (Some("MATCHES_REGEX"), Some(content)) => vec![Says::Pattern(content)],
                    _ => Vec::new(),
                },
                within_ms: within("timeout", 1_000),
                signs_in: resource.has("http_check.auth_info"),
                ..Found::default()
            }
        }
        "aws_route53_health_check" => {
            if !matches!(get("type"), Some("HTTPS" | "HTTPS_STR_MATCH"))
                || other_port("port")
                || yes("invert_healthcheck")
                || yes("disabled")
            {
                return None;
            }
            Found {
                url: joined(get("fqdn")?, get("resource_path").unwrap_or("/")),
                // Anything from 200 to 399, and no redirect is followed (Route 53 Developer Guide).
                status: (200..400).collect(),
                says: text("search_string"),
                ..Found::default()
            }
        }
        "digitalocean_uptime_check" if get("type").is_some_and(|kind| kind != "https") => return None,
        "digitalocean_uptime_check" => Found { url: own("target")?, follows: true, ..Found::default() },
        // One that has to fail, or that compares in another way than this reads.
        "checkly_check"
            if yes("should_fail") || compares_otherwise(resource, "request.assertion", "EQUALS") =>
        {
            return None;
        }
        "checkly_check" => Found {
            url: own("request.url")?,
            method: own("request.method"),
            status: asserted(resource, "request.assertion", "STATUS_CODE", "EQUALS"),
            follows: yes("request.follow_redirects"),
            within_ms: within("max_response_time", 1),
            signs_in: resource.has("request.basic_auth"),
            ..Found::default()
        },
        "pingdom_check" => {
            if get("type") != Some("http")
                || !yes("encryption")
                || other_port("port")
                || resource.has("postdata")
                || resource.has("shouldnotcontain")
            {
                return None;
            }
            Found {
                url: joined(get("host")?, get("url").unwrap_or("/")),
                follows: true,
                says: text("shouldcontain"),
                signs_in: resource.has("username"),
                ..Found::default()
            }
        }
        "datadog_synthetics_test" if compares_otherwise(resource, "assertion", "is") => return None,
        "datadog_synthetics_test" => Found {
            url: own("request_definition.url")?,
            method: own("request_definition.method"),
            status: asserted(resource, "assertion", "statusCode", "is"),
            follows: yes("options_list.follow_redirects"),
            within_ms: within("request_definition.timeout", 1_000),
            signs_in: resource.has("request_basicauth"),
            ..Found::default()
        },
        "grafana_synthetic_monitoring_check" => {
            if !resource.has("settings.http") {
                return None;
            }
            Found {
                url: own("target")?,
                method: own("settings.http.method"),
                status: codes("settings.http.valid_status_codes"),
                follows: !yes("settings.http.no_follow_redirects"),
                says: resource
                    .all("settings.http.fail_if_body_not_matches_regexp")
                    .map(|pattern| Says::Pattern(pattern.to_owned()))
                    .collect(),
                within_ms: within("timeout", 1),
                signs_in: resource.has("settings.http.basic_auth")
                    || resource.has("settings.http.bearer_token"),
                ..Found::default()
            }
        }
        "azurerm_application_insights_standard_web_test" => Found {
            url: own("request.url")?,
            method: own("request.http_verb"),
            // 0 is anything below 400.
            status: match get("validation_rules.expected_status_code") {
                Some("0") => (200..400).collect(),
                _ => codes("validation_rules.expected_status_code"),
            },
            follows: !no("request.follow_redirects_enabled"),
            says: {
                let wanted = get("validation_rules.content.pass_if_text_found") == Some("true");
                let fold = get("validation_rules.content.ignore_case") == Some("true");
                let says = |word: &str| match (wanted, fold) {
                    (true, true) => Some(Says::Pattern(format!("(?i){}", regex::escape(word)))),
                    (true, false) => Some(Says::Text(word.to_owned())),
                    (false, false) => Some(Says::Not(word.to_owned())),
                    (false, true) => None,
                };
                get("validation_rules.content.content_match").and_then(says).into_iter().collect()
            },
            within_ms: within("timeout", 1_000),
            ..Found::default()
        },
        _ => return None,
    };
    let off = yes("paused")
        || yes("is_paused")
        || yes("validation_rules.ignore_status_code")
        || get("status") == Some("paused")
        || ["enabled", "activated"].iter().any(|switch| no(switch));
    if off {
        return None;
    }
    found.signs_in |= resource.entries.iter().any(|entry| {
        let in_headers = entry.path.contains("header");
        in_headers && (is_credential(&entry.path) || entry.value.as_deref().is_some_and(is_credential))
    });
    Some(found)
}

/// The targets of those assertions that are about one source and made with one comparison, block by block.
fn asserted(resource: &Resource, block: &str, source: &str, comparison: &str) -> Vec<u16> {
    let of = |name: &str| resource.all_of(&format!("{block}.{name}"));
    let sources = of("source").into_iter().chain(of("type"));
    let mut found = Vec::new();
    for (place, is) in sources {
        let same = |entries: Vec<(usize, &str)>| {
            entries.into_iter().find(|(at, _)| *at == place).map(|(_, text)| text.to_owned())
        };
        let compared = same(of("comparison")).or_else(|| same(of("operator")));
        if is == source && compared.as_deref() == Some(comparison) {
            found.extend(same(of("target")).iter().flat_map(|text| statuses(text)));
        }
    }
    found
}

/// Whether a status is asserted in another way than by one comparison.
fn compares_otherwise(resource: &Resource, block: &str, comparison: &str) -> bool {
    let of = |name: &str| resource.all_of(&format!("{block}.{name}"));
    let of_status = |(place, is): (usize, &str)| matches!(is, "STATUS_CODE" | "statusCode").then_some(place);
    let places: Vec<usize> = of("source").into_iter().chain(of("type")).filter_map(of_status).collect();
    let compared: Vec<(usize, &str)> = of("comparison").into_iter().chain(of("operator")).collect();
    places.iter().any(|place| !compared.iter().any(|(at, is)| at == place && *is == comparison))
}

fn joined(host: &str, path: &str) -> String {
    format!("https://{host}/{}", path.trim_start_matches('/'))
}
