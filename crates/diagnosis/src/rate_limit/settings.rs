//! Lines for the limiter at hand, each limiter by its own rules.
//!
//! | limiter | rule it counts by | source |
//! |---|---|---|
//! | nginx | bucket: `burst` + 1 at once, then one every 1/`rate`; an empty key is not counted | nginx.org, ngx_http_limit_req_module |
//! | HAProxy | sliding counter over the stick table's period, refused requests included; `deny` takes a status and header fields | configuration manual, `http-request deny`, `http_req_rate` |
//! | Flask-Limiter | fixed window unless `strategy` says otherwise; Retry-After with `headers_enabled` | flask-limiter.readthedocs.io, Configuration |
//! | express-rate-limit | fixed window from the first request; Retry-After by default, `skip` exempts | express-rate-limit.mintlify.app, Configuration |
//! | Cloudflare | a number in a period, then refusal for `mitigation_timeout` | developers.cloudflare.com/waf/rate-limiting-rules/parameters |
//!
//! The lines for nginx and HAProxy are run by those programs in `settings_tests.rs`.

use landfall_evidence::{LimiterClass, UsageProfile};

use super::advice::{Need, least};
use super::known::{Keyed, Known, Range};
use crate::LimitSettings;

/// A limiter whose settings we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Platform {
    Nginx,
    Haproxy,
    FlaskLimiter,
    ExpressRateLimit,
    Cloudflare,
}

/// Periods that a rule of Cloudflare may have, in seconds; the free plan has the first one only.
const CLOUDFLARE_PERIODS_S: [u64; 6] = [10, 60, 120, 300, 600, 3600];

impl Platform {
    /// By the name that a signature or a dependency has.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "nginx" => Self::Nginx,
            "haproxy" => Self::Haproxy,
            "flask-limiter" => Self::FlaskLimiter,
            "express-rate-limit" => Self::ExpressRateLimit,
            "cloudflare" => Self::Cloudflare,
            _ => return None,
        })
    }

    /// What it counts by, as [`Known`] of a limit in a window.
    fn known(self, limit: u64, window_ms: u64) -> Known {
        let class = match self {
            Self::Nginx => LimiterClass::TokenBucket,
            Self::Haproxy => LimiterClass::SlidingCounter,
            Self::FlaskLimiter | Self::ExpressRateLimit => LimiterClass::FixedWindow,
            Self::Cloudflare => LimiterClass::Penalty,
        };
        Known {
            classes: vec![class],
            limit: Range::exactly(limit),
            window_ms: Range::exactly(window_ms.max(1)),
            window_known: true,
            penalty_ms: Some(Range::exactly(window_ms)),
            counters: (1, 1),
            alignment: None,
            keyed: Keyed::Address,
        }
    }

    /// The lines; `None` when no limit of this limiter would let the uses through.
    ///
    /// `window_ms` is the window to keep where the limiter can have it, `health` the paths to exempt.
    pub(crate) fn settings(
        self,
        uses: &[&UsageProfile],
        window_ms: u64,
        health: &[&str],
    ) -> Option<LimitSettings> {
        let window_s = (window_ms.saturating_add(500) / 1000).max(1);
        let health: Vec<&str> = health.iter().copied().filter(|path| is_plain(path)).collect();
        let needed = |window_s: u64| {
            let window_ms = window_s * 1000;
            let limit = least(uses, |limit| self.known(limit, window_ms))?;
            Some(Need { limit, window_ms })
        };
        let (limiter, place, lines) = match self {
            Self::Nginx => {
                let need = needed(window_s)?;
                // The rate at which the whole limit comes back within the window, in requests a minute, rounded up.
                let per_minute = (need.limit * 60_000).div_ceil(need.window_ms).max(1);
                let limit = least(uses, |limit| self.known(limit, (limit * 60_000).div_ceil(per_minute)))?;
                (
                    "nginx",
                    "nginx.conf: the first lines in http, the others in server",
                    nginx(limit, per_minute, &health),
                )
            }
            Self::Haproxy => {
                let need = needed(window_s)?;
                ("HAProxy", "haproxy.cfg: in the frontend", haproxy(need.limit, window_s, &health))
            }
            Self::FlaskLimiter => {
                let need = needed(window_s)?;
                ("Flask-Limiter", "where the application is made", flask(need.limit, window_s, &health))
            }
            Self::ExpressRateLimit => {
                let need = needed(window_s)?;
                ("express-rate-limit", "before the routes", express(need.limit, need.window_ms, &health))
            }
            Self::Cloudflare => {
                let period = CLOUDFLARE_PERIODS_S
                    .into_iter()
                    .find(|period| *period >= window_s)
                    .unwrap_or(CLOUDFLARE_PERIODS_S[5]);
                let need = needed(period)?;
                ("Cloudflare", "Security rules, Rate limiting rules", cloudflare(need.limit, period, &health))
            }
        };
        Some(LimitSettings { limiter: limiter.to_owned(), place: place.to_owned(), lines })
    }
}

/// Whether a path can stand in a configuration line as it is. What has a query or odd letters is left out rather than quoted by guess.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c))
}

fn quoted(paths: &[&str], quote: char, between: &str) -> String {
    let all: Vec<String> = paths.iter().map(|path| format!("{quote}{path}{quote}")).collect();
    all.join(between)
}

fn nginx(limit: u64, per_minute: u64, health: &[&str]) -> Vec<String> {
    let rate = match per_minute % 60 {
        0 => format!("{}r/s", per_minute / 60),
        _ => format!("{per_minute}r/m"),
    };
    // Whole seconds until one place is free again.
    let retry_s = 60_u64.div_ceil(per_minute).max(1);
    let mut lines = vec!["map $uri $limit_key {".to_owned(), "    default $binary_remote_addr;".to_owned()];
    lines.extend(health.iter().map(|path| format!("    {path} \"\";")));
    lines.extend([
        "}".to_owned(),
        format!("limit_req_zone $limit_key zone=clients:10m rate={rate};"),
        "limit_req_status 429;".to_owned(),
        match limit {
            1 => "limit_req zone=clients;".to_owned(),
            _ => format!("limit_req zone=clients burst={} nodelay;", limit - 1),
        },
        "error_page 429 @limited;".to_owned(),
        format!("location @limited {{ add_header Retry-After {retry_s} always; return 429; }}"),
    ]);
    lines
}

fn haproxy(limit: u64, window_s: u64, health: &[&str]) -> Vec<String> {
    let unless =
        if health.is_empty() { String::new() } else { format!(" if !{{ path {} }}", health.join(" ")) };
    vec![
        format!("stick-table type ipv6 size 100k expire {}s store http_req_rate({window_s}s)", window_s * 2),
        format!("http-request track-sc0 src{unless}"),
        format!(
            "http-request deny deny_status 429 hdr Retry-After {window_s} if {{ sc_http_req_rate(0) gt {limit} }}"
        ),
    ]
}

fn flask(limit: u64, window_s: u64, health: &[&str]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "limiter = Limiter(get_remote_address, app=app, default_limits=[\"{limit} per {window_s} seconds\"], headers_enabled=True, storage_uri=\"redis://HOST:6379\")"
        ),
        "# storage_uri: one store for all workers; in memory each worker counts for itself".to_owned(),
    ];
    if !health.is_empty() {
        lines.push(format!("# on the handlers of {}: @limiter.exempt", health.join(", ")));
    }
    lines
}

fn express(limit: u64, window_ms: u64, health: &[&str]) -> Vec<String> {
    let skip = if health.is_empty() {
        String::new()
    } else {
        format!(", skip: (req) => [{}].includes(req.path)", quoted(health, '\'', ", "))
    };
    vec![format!(
        "app.use(rateLimit({{ windowMs: {window_ms}, limit: {limit}, standardHeaders: 'draft-8', legacyHeaders: false{skip} }}))"
    )]
}

fn cloudflare(limit: u64, period_s: u64, health: &[&str]) -> Vec<String> {
    let matches = if health.is_empty() {
        "expression: true".to_owned()
    } else {
        format!("expression: not http.request.uri.path in {{{}}}", quoted(health, '"', " "))
    };
    vec![
        matches,
        "characteristics: cf.colo.id, ip.src".to_owned(),
        format!("requests_per_period: {limit}, period: {period_s}, mitigation_timeout: {period_s}"),
        "action: block".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::profile::usual;
    use super::*;

    fn lines(platform: Platform, window_ms: u64, health: &[&str]) -> Vec<String> {
        let uses = usual();
        let must: Vec<&UsageProfile> = uses.iter().filter(|p| p.must_pass).collect();
        platform.settings(&must, window_ms, health).expect("there is a limit").lines
    }

    #[test]
    fn each_limiter_gets_lines_by_its_own_rules() {
        let health = ["/health", "/api/health", "/odd\"; path", "/q?x=1"];
        assert_eq!(
            lines(Platform::Nginx, 10_000, &health),
            [
                "map $uri $limit_key {",
                "    default $binary_remote_addr;",
                "    /health \"\";",
                "    /api/health \"\";",
                "}",
                "limit_req_zone $limit_key zone=clients:10m rate=72r/m;",
                "limit_req_status 429;",
                "limit_req zone=clients burst=11 nodelay;",
                "error_page 429 @limited;",
                "location @limited { add_header Retry-After 1 always; return 429; }",
            ]
        );
        assert_eq!(
            lines(Platform::Haproxy, 10_000, &health)[1..],
            [
                "http-request track-sc0 src if !{ path /health /api/health }",
                "http-request deny deny_status 429 hdr Retry-After 10 if { sc_http_req_rate(0) gt 12 }",
            ]
        );
        assert!(lines(Platform::FlaskLimiter, 10_000, &[])[0].contains("\"12 per 10 seconds\""));
        assert_eq!(
            lines(Platform::ExpressRateLimit, 10_000, &health[..1]),
            [
                "app.use(rateLimit({ windowMs: 10000, limit: 12, standardHeaders: 'draft-8', legacyHeaders: false, skip: (req) => ['/health'].includes(req.path) }))"
            ]
        );
        assert_eq!(
            lines(Platform::Cloudflare, 10_000, &health[..2])[0],
            "expression: not http.request.uri.path in {\"/health\" \"/api/health\"}"
        );
    }

    #[test]
    fn cloudflare_gets_a_period_that_it_has() {
        assert_eq!(
            lines(Platform::Cloudflare, 15_000, &[])[2],
            "requests_per_period: 12, period: 60, mitigation_timeout: 60"
        );
        assert!(lines(Platform::Cloudflare, 86_400_000, &[])[2].contains("period: 3600"));
    }

    #[test]
    fn limiters_go_by_the_names_of_signatures_and_packages() {
        assert_eq!(Platform::named("Flask_Limiter"), Some(Platform::FlaskLimiter));
        assert_eq!(Platform::named("cloudflare"), Some(Platform::Cloudflare));
        assert_eq!(Platform::named("envoy"), None);
    }
}
