//! The closed list of fact keys. Rules name facts by these dotted names; a name that is not here does not load.

use std::fmt;

macro_rules! keys {
    ($($variant:ident $name:literal [$($value:literal),*] $doc:literal,)*) => {
        /// What a fact speaks of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum FactKey { $(#[doc = $doc] $variant,)* }

        impl FactKey {
            /// All keys, in the order of the ladder.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The dotted name: `http.status`.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The words that it can say; empty when they are not a closed list.
            pub(crate) fn values(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($value),*],)* }
            }

            /// The key of a dotted name.
            pub(crate) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

keys! {
    TargetUrl "target.url" [] "The public base URL.",
    TargetHost "target.host" [] "The audited host name.",
    TargetPath "target.path" [] "The path of the first endpoint.",
    VantageReach "vantage.reach" ["yes", "no"] "Whether anything outside answered this machine.",
    VantageAnswered "vantage.answered" ["dns", "edge", "origin"] "Which kinds of outside service answered.",
    VantageFamily "vantage.family" ["ok", "no-route"] "Subject IPv4 or IPv6: whether a peer answered over it, or this machine has no route for it.",
    ClockOffset "clock.offset_s" [] "This machine's clock minus the servers' Date headers, in seconds.",
    ClockServer "clock.server_s" [] "Subject vantage: how far its Date headers lie behind this machine's clock, in seconds, where the servers of another vantage agree with this clock.",
    VantageInspected "vantage.inspected_by" [] "Issuers of the edge's certificates that are makers of inspecting proxies.",
    VantageProxy "vantage.proxy_variables" [] "Names of this machine's proxy variables that are set.",
    VantageRoots "vantage.roots" ["ok", "stale"] "Whether this machine's root store knows the public authority that signed the edge's certificate.",
    VantageRootsStore "vantage.roots_store" [] "The root store that does not.",
    PlatformName "platform.name" [] "The hosting platform.",
    TargetOriginHost "target.origin_host" [] "The platform's own name for the deployment.",

    DnsSystem "dns.system" ["ok", "nodata", "nxdomain", "dangling", "loop", "servfail", "refused", "silent", "other"] "The system's resolver.",
    DnsRecursive "dns.recursive" ["ok", "nodata", "nxdomain", "dangling", "loop", "servfail", "refused", "silent", "mixed", "other"] "Recursive resolvers together.",
    DnsAuthoritative "dns.authoritative" ["ok", "nodata", "nxdomain", "dangling", "loop", "servfail", "refused", "not-authoritative", "silent", "mixed", "other"] "Authoritative servers together.",
    DnsServer "dns.server" ["ok", "nodata", "nxdomain", "dangling", "loop", "servfail", "refused", "not-authoritative", "silent", "other"] "Subject one server: its state for the host's addresses.",
    DnsLame "dns.lame" [] "Name servers that refuse or answer without authority.",
    DnsSilent "dns.silent" [] "Authoritative servers that did not answer.",
    DnsZone "dns.zone" ["exists", "absent"] "Whether the registered domain exists.",
    DnsAgrees "dns.agrees" ["yes", "no"] "Whether resolvers repeat what the authoritative servers say.",
    DnsAddresses "dns.addresses" [] "Addresses of the host.",
    DnsFamilies "dns.families" ["both", "ipv4", "ipv6", "none"] "Families that the host has addresses in.",
    DnsAddressClass "dns.address_class" ["global", "private", "mixed"] "Whether the addresses can be reached from anywhere.",
    DnsCname "dns.cname" [] "Canonical names on the way; the word \"none\" when the address records stand at the name itself.",
    DnsCnameIsOrigin "dns.cname_is_origin" ["yes", "no"] "Whether the canonical names on the way include the platform's own name for the deployment.",
    DnsCnameOwner "dns.cname_owner" [] "Who owns the last canonical name.",
    DnsOwner "dns.owner" [] "Who owns the addresses.",
    DnsOwnerRole "dns.owner_role" ["edge", "platform", "cloud", "dns"] "What the owner of the addresses does.",
    DnsNs "dns.ns" [] "Name servers of the zone.",
    DnsNsOwner "dns.ns_owner" [] "Who runs the name servers.",
    DnsEde "dns.ede" [] "Extended DNS error codes seen (RFC 8914).",

    DoorAgain "door.again" ["ok", "refused", "silent", "unreachable", "reset", "closed", "other"] "Subject edge: the public port once more, after a silence.",
    DoorAny "door.any" ["yes", "no"] "Subject edge: whether any other usual port of the address answered, port 80 aside.",
    DoorAppPort "door.app_port" [] "Subject edge: the other port at which the application answers.",
    DoorOutcome "door.outcome" ["app", "answer", "redirect", "plain-http", "refused", "silent", "unreachable", "other"] "Subject edge and port: what a request to another port got.",
    DoorPlain "door.plain" ["app", "answer", "redirect", "plain-http", "refused", "silent", "unreachable", "other"] "Subject edge: what plain HTTP at port 80 does.",
    DoorPortConfigured "door.port_configured" ["yes", "no"] "Subject edge: whether the deploy configuration names the port at which the application answers.",

    NetCarrierNat "net.carrier_nat" ["yes", "no"] "Whether the host's addresses lie in the space between a carrier and its customers.",
    NetFamilyMissing "net.family_missing" [] "The address family that the host has no address in, where many clients have no other.",
    NetOrigin "net.origin" ["same-address", "same-provider", "another-provider", "another-range"] "The addresses of the platform's own name against those of the host.",
    NetRouterPage "net.router_page" [] "The signature of a home router's page, where one answers in the host's place.",

    TcpFlaps "tcp.flaps" ["yes", "no"] "Subject edge and address: whether some connections stand and others meet silence or a lost SYN.",
    TcpOutcome "tcp.outcome" ["ok", "refused", "silent", "unreachable", "reset", "no-route"] "Subject vantage and address.",
    TcpState "tcp.state" ["ok", "refused", "silent", "unreachable", "reset", "mixed"] "Subject vantage.",
    TcpSlowConnects "tcp.slow_connects" [] "Subject edge and address: connections that took a SYN sent again.",
    FamilyState "family.state" ["ok", "refused", "silent", "unreachable", "reset", "tls", "other-answer"] "Subject IPv4 or IPv6 at the edge.",

    TlsOutcome "tls.outcome" ["ok", "alert", "plain-http", "not-tls", "silent", "reset", "closed", "malformed"] "Subject vantage and address.",
    TlsAlert "tls.alert" [] "The alert's name.",
    TlsVerify "tls.verify" ["ok", "expired", "not-yet-valid", "name", "chain", "self-signed", "unknown-issuer", "other"] "Subject vantage and address.",
    TlsDaysLeft "tls.days_left" [] "Whole days until the leaf ends; negative when it has ended.",
    TlsNames "tls.names" [] "Names that the leaf covers.",
    TlsNamesOwner "tls.names_owner" [] "The service under whose own domain the leaf's names lie.",
    TlsIssuer "tls.issuer" [] "The leaf's issuer.",
    TlsChainLength "tls.chain_length" [] "Certificates sent.",
    TlsAgain "tls.again" ["ok", "alert", "plain-http", "silent", "reset", "closed", "other"] "Subject edge and address: the same handshake once more.",
    TlsAgeDays "tls.age_d" [] "Whole days since the leaf's validity began; negative when it has not.",
    TlsAlertAfter "tls.alert_after" [] "The alert by which the server ended a connection after the handshake.",
    TlsClientCertificate "tls.client_certificate" ["yes", "no"] "Whether the server asked for a client certificate.",
    TlsDefaultNames "tls.default_names" [] "Names of the certificate that is shown to another name or to none.",
    TlsLegacy "tls.legacy" ["ok", "alert", "plain-http", "silent", "reset", "closed", "other"] "Subject edge and address: a hello of TLS 1.0 to 1.2 with old cipher suites.",
    TlsLegacySuite "tls.legacy_suite" [] "The cipher suite that the server chose there.",
    TlsLegacyVersion "tls.legacy_version" [] "The version that the server chose there.",
    TlsNamesKin "tls.names_kin" ["own", "platform", "stranger"] "Whose names a leaf covers that does not cover the host.",
    TlsNoName "tls.no_name" ["ok", "alert", "plain-http", "silent", "reset", "closed", "other"] "Subject edge and address: a handshake without a server name.",
    TlsOtherName "tls.other_name" ["ok", "alert", "plain-http", "silent", "reset", "closed", "other"] "Subject edge and address: a handshake with another name of the target.",
    TlsPlaceholder "tls.placeholder" [] "Whose placeholder the leaf is; the word none for any other leaf.",
    TlsSelfIssued "tls.self_issued" ["yes", "no"] "Whether the leaf's issuer is its own subject.",
    TlsSmallAnswer "tls.small_answer" ["yes", "no"] "Whether a few bytes came back where a whole handshake met silence.",
    TlsSmallHello "tls.small_hello" ["ok", "alert", "plain-http", "silent", "reset", "closed", "other"] "Subject edge and address: a handshake whose ClientHello is small.",
    TlsWildcardDepth "tls.wildcard_depth" ["yes", "no"] "Whether a wildcard of the leaf lies one level too high for the host.",
    AcmeChallenge "acme.challenge" ["free", "redirected", "blocked", "elsewhere", "failing", "page", "refused", "silent", "other"] "Subject edge: what stands at the path of an authority's challenge.",
    HstsBy "hsts.by" ["preloaded", "header", "parent"] "What binds browsers to HTTPS for the host.",
    HstsPinned "hsts.pinned" ["yes", "no"] "Whether browsers are bound to HTTPS while it fails and plain HTTP works.",
    TlsAia "tls.aia" ["yes", "no"] "Whether the leaf says where its issuer can be fetched.",

    HttpOutcome "http.outcome" ["answered", "refused", "silent", "unreachable", "reset", "closed", "tls", "plain-http", "not-tls", "malformed", "too-large", "other"] "Subject exchange.",
    HttpStatus "http.status" [] "Subject exchange: the status code.",
    HttpType "http.type" [] "Subject exchange: the media type.",
    HttpBody "http.body_kind" ["json", "html", "text", "empty", "binary"] "Subject exchange.",
    HttpComplete "http.complete" ["yes", "no"] "Subject exchange: whether the body came whole.",
    HttpSizeDecides "http.size_decides" ["yes", "no"] "Subject edge: whether small bodies come whole while larger ones stall.",
    HttpStalledByte "http.stalled_byte" [] "Subject exchange: bytes after which the body stopped while the connection stayed open.",
    HttpFingerprint "http.fingerprint" [] "Subject exchange: status, type and the beginning of the body's hash.",
    HttpWriter "http.writer" ["app", "platform", "edge", "server", "balancer"] "Subject exchange: who wrote the answer.",
    HttpMeaning "http.meaning" [] "Subject exchange: the meaning of the best signature.",
    HttpSignature "http.signature" [] "Subject exchange: the best signature.",
    HttpMarkers "http.markers" [] "Subject exchange: hops that the answer shows it passed.",
    HttpElapsed "http.elapsed_class" ["instant", "short", "connect-limit", "round-30", "round-60", "round-120", "other"] "Subject exchange.",
    HttpSays "http.says" [] "Subject exchange: ids of log-lines.toml that the body of a failing answer shows.",
    CacheState "cache.state" ["hit", "miss", "bypass"] "Subject exchange.",
    CacheAge "cache.age_s" [] "Subject exchange: the Age header, in seconds.",
    CacheBust "cache.bust" ["same", "other-build", "other-answer"] "Subject edge and path: what a query that no cache has seen gets, against what the cache gave.",
    CacheError "cache.error" ["yes", "no"] "Subject edge and path: an error that the cache gave.",
    CacheStale "cache.stale" ["yes", "no"] "Subject edge and path: whether the cache's answer names another build than the origin's, or else the local backend's.",
    CachePrivate "cache.private" ["guarded", "cookie", "marked-private", "identity"] "Subject edge and path: why an answer that the cache gave to this stranger is somebody's own.",
    EdgeSays "edge.says" ["origin-refused", "no-backend", "origin-unreachable", "bad-gateway", "unavailable", "connect-timeout", "read-timeout", "origin-timeout", "bad-response", "tls", "tls-handshake", "tls-certificate", "dns", "tunnel-down", "points-at-itself", "cross-account", "code-failed", "address-banned", "rule-blocked", "challenge", "too-large"] "Subject exchange: what a hop before the application says of the way behind it or of the request, by its own code or page.",
    EdgeCode "edge.code" [] "Subject exchange: that hop's code: 522, 1016, DNS_HOSTNAME_NOT_FOUND.",
    EdgeVendors "edge.vendors" [] "Subject vantage: edges whose marks the answers carry.",
    EdgeExpected "edge.expected" [] "The edge that production is meant to stand behind.",
    EdgeExpectedBy "edge.expected_by" [] "Where that is said.",
    EdgeInPath "edge.in_path" ["yes", "no"] "Whether the answers under the public name show that edge.",
    HttpHeaderByte "http.header_byte" [] "Subject exchange: size of the response's header block, in bytes.",
    HttpSlow "http.slow" ["yes", "no"] "Subject exchange: whether its answer began late, or not at all on a connection that stood.",
    HttpQuota "http.quota" ["yes"] "Subject exchange: an error of the application that speaks of a vendor's quota.",
    RedirectKind "redirect.kind" ["self", "scheme-loop", "host", "path", "upgrade"] "Subject exchange.",
    RedirectWall "redirect.wall" ["access-product", "login-host"] "Subject vantage: every path, the random one too, sends to a login on another host.",
    RedirectWallHost "redirect.wall_host" [] "Subject vantage: that host.",
    RedirectChange "redirect.change" [] "Subject exchange: what its redirect changes of the URL: scheme-down, scheme-up, host, www, slash, case, path, login, query, none.",
    RedirectDowngrade "redirect.downgrade" ["yes", "no"] "Subject exchange: an https URL is redirected to http on the same host.",
    RedirectEnd "redirect.end" ["ok", "loop", "other-host", "failing", "open"] "Subject exchange: how the chain of its redirects ends; open where it was not followed.",
    RedirectHost "redirect.host" [] "Subject exchange: the other host that its redirect leads to.",
    RedirectTo "redirect.to" [] "Subject exchange: the URL that its redirect leads to.",
    BodyCoding "body.coding" ["fits", "not-so", "unsaid"] "Subject exchange: whether the bytes carry the content coding that the header names.",
    CookieMisfit "cookie.misfit" [] "Subject exchange: why a browser drops its cookie: none-without-secure, secure-over-http, other-domain, local-domain, prefix-broken; none where it keeps them.",
    CookieName "cookie.name" [] "Subject exchange: the names of such cookies.",
    CutFraming "cut.framing" ["length", "chunked"] "Subject exchange: how a body that ended early had said its end.",
    CutPattern "cut.pattern" ["always", "large-only", "some"] "Subject vantage: which bodies end early.",
    CutPromised "cut.promised" [] "Subject exchange: the bytes that content-length announced.",
    CutReceived "cut.received" [] "Subject exchange: the bytes that came.",
    PageDebug "page.debug" ["yes"] "Subject exchange: a development error page.",
    PageDebugBy "page.debug_by" [] "Subject exchange: whose development page it is.",
    PageHttpUrls "page.http_urls" [] "Subject exchange: what an https page loads or calls over plain HTTP.",
    PageKept "page.kept" ["html", "worker"] "Subject exchange: a page or a service worker that browsers keep past any deploy.",
    PageKeptS "page.kept_s" [] "Subject exchange: for how many seconds.",
    PageLocalUrls "page.local_urls" [] "Subject exchange: URLs of a local or internal host that a page, a script, a redirect or JSON leads to.",
    PageWorker "page.worker" [] "Subject exchange: the service worker's script.",
    PageWorkerTakesOver "page.worker_takes_over" ["yes", "no"] "Subject exchange: whether a new version of that worker takes over at once.",

    EndpointOutcome "endpoint.outcome" ["ok", "not-found", "app-error", "gateway-error", "html-for-json", "wrong-type", "wrong-shape", "error-in-body", "forbidden", "redirect", "blocked", "challenged", "unexpected-status", "cut", "no-answer", "bad-encoding", "empty", "host-refused", "late", "method-refused"] "Subject vantage and path.",
    EndpointAsLocal "endpoint.as_local" ["same", "differs"] "Subject vantage and path: whether the JSON has the local answer's shape.",
    EndpointUpgrade "endpoint.upgrade" ["upgraded", "refused", "unasked"] "Subject vantage and path: what a WebSocket handshake gets, for endpoints that are expected to give 101.",
    RouteState "route.state" ["exists", "missing"] "Subject vantage and path: for routes that are not asked with their own method.",
    RouteLocalOnly "route.local_only" ["yes", "no"] "Subject vantage and path: the local backend has this route and the application in production says that it has not.",
    RoutePrefix "route.prefix" ["shifted"] "Subject vantage and path: the path is not there, and with a segment more or less in front it gives what the local backend gives here.",
    RouteFresh "route.fresh_files" [] "Files changed, added or not pushed, of a project whose route is missing in production.",
    RouteAllow "route.allow" [] "Subject exchange: the methods that a 405 says the path has.",
    RouteMethod "route.method" ["allowed", "refused"] "Subject exchange: whether those include the declared one.",
    RouteRedirect "route.redirect" ["turns-into-get", "keeps-method"] "Subject exchange: a path declared for another method is redirected, by a status that lets clients go on with GET or not.",
    CheckAnswers "check.answers" [] "Subject exchange: health paths that answer where the declared one is not found.",
    CheckCached "check.cached" ["yes", "no"] "Subject vantage: all good answers come from a cache, and what is not in it fails before the application.",
    CheckInCode "check.in_code" ["yes", "no"] "Subject exchange: whether the project has the declared health path that is not found.",
    CheckInstead "check.instead" [] "Subject exchange: the health paths that the project has in its place.",
    CheckKeysLocal "check.keys_local" ["missing", "there"] "Subject exchange: whether the local answer lacks the expected keys as well.",
    CheckKeysMissing "check.keys_missing" [] "Subject exchange: expected keys that a valid answer lacks.",
    CheckKeysNear "check.keys_near" ["yes", "no"] "Subject exchange: whether each of them is there in another spelling or deeper down.",
    CheckLimit "check.limit_ms" [] "Subject exchange: the time that the check allows, where a good answer came later.",
    CheckTook "check.took_ms" [] "Subject exchange: the time that this answer took.",
    CorsLists "cors.lists" [] "Subject exchange: origins that the answer allows in place of the page's.",
    CorsState "cors.state" ["allowed", "half", "refused"] "Subject vantage and page: whether a browser lets the page read the answers; half where only the preflight fails.",
    CorsWhy "cors.why" [] "Subject vantage and page: no-header, other-origin, twice, wildcard-with-credentials, preflight-status, method.",
    GuardHow "guard.how" ["challenge", "unauthenticated", "forbidden", "login"] "Subject exchange: how it asks for credentials.",
    GuardLocal "guard.local" ["open", "guarded"] "Subject exchange: whether the same path is open at the local backend.",
    GuardOthers "guard.others" ["open", "guarded"] "Subject vantage: whether other endpoints of it are open.",
    GuardPath "guard.path" ["health", "other"] "Subject exchange: a declared path that asks for credentials, and what it is for.",

    SiteKind "site.kind" ["application", "nothing-here", "other-site", "gateway-error", "edge-error", "app-error", "blocked", "challenged", "suspended", "starting", "default-page", "maintenance", "redirect-loop", "forbidden", "no-answer", "unclear"] "Subject vantage.",
    TrialAsked "trial.asked" [] "Subject trial, vantage and path: how often it was asked.",
    TrialPassed "trial.passed" [] "Subject trial, vantage and path: how often it got an answer below 400.",
    TrialOutcome "trial.outcome" ["answered", "refused", "silent", "unreachable", "reset", "closed", "tls", "plain-http", "not-tls", "malformed", "too-large", "other"] "Subject trial, vantage and path: what became of a deciding request.",
    TrialStatus "trial.status" [] "Subject trial, vantage and path: the status code.",
    TrialType "trial.type" [] "Subject trial, vantage and path: the media type.",
    TrialBody "trial.body_kind" ["json", "html", "text", "empty", "binary"] "Subject trial, vantage and path.",
    TrialLocation "trial.location" [] "Subject trial, vantage and path: where a redirect leads.",
    TrialHeaders "trial.headers" [] "Subject trial, vantage and path: all header fields, as: name: value.",
    TrialMeaning "trial.meaning" [] "Subject trial, vantage and path: the meaning of the best signature.",
    TrialWriter "trial.writer" ["app", "platform", "edge", "server", "balancer"] "Subject trial, vantage and path: who wrote the answer.",
    TrialAsPlain "trial.as_plain" ["same", "better", "worse", "differs"] "Subject trial, vantage and path: the answer held against that of the plain request.",
    SiteMeaning "site.meaning" [] "Subject vantage: what most answers say by their signature.",
    SiteVendor "site.vendor" [] "Subject vantage: whose signature that is.",
    SiteWriter "site.writer" ["app", "platform", "edge", "server", "balancer"] "Subject vantage: who wrote most answers.",
    SiteStatus "site.status" [] "Subject vantage: the commonest status.",
    SiteUniform "site.uniform" ["yes", "no"] "Subject vantage: whether every path, the random control included, got the same bytes.",
    SiteControl "site.control_status" [] "Subject vantage: status of the random path.",
    SiteEmpty "site.empty" ["yes", "no"] "Subject vantage: a random path gets 200 and no body.",
    SiteReachesApp "site.reaches_app" ["yes", "no"] "Subject vantage: whether any answer came from the application.",
    SiteElapsed "site.elapsed_class" ["instant", "short", "connect-limit", "round-30", "round-60", "round-120", "other"] "Subject vantage: how long failing answers took.",
    SiteDevServer "site.dev_server" [] "Subject vantage: the development server that answers show.",
    SiteSilence "site.silence" ["none", "some", "all"] "Subject vantage: whether connected questions got no answer in time: none of them, some, or every one, the random path included.",
    SiteRepeat "site.repeat" ["stable", "alternating", "by-address"] "Subject vantage: the same question again.",
    SiteLimitedOnly "site.limited_only" [] "Subject vantage: questions that never got past the limiter.",
    SiteNotFoundShape "site.not_found_shape" ["same", "differs"] "Subject vantage: whether its 404 looks as the local application's.",

    PairState "pair.state" ["same", "differs"] "Edge and origin, asked the same.",
    PairMixed "pair.mixed" ["yes", "no"] "Whether some endpoints are answered at the edge as at the origin, and others only at the origin.",
    PairPath "pair.path" ["same", "differs", "origin-better", "edge-better"] "Subject path.",

    LocalOnLan "local.on_lan" ["yes", "no"] "Whether the local backend listens on an address of a private network other than this machine's loopback.",
    LocalState "local.state" ["ok", "failing", "refused", "silent", "other-program", "no-answer"] "The local backend.",
    HealthState "health.state" ["ok", "failing"] "Subject vantage: the health routes.",
    CoreState "core.state" ["ok", "app-error", "gateway-error", "not-found", "other"] "Subject vantage: the core routes.",
    HealthContradicts "health.contradicts" ["yes", "no"] "Subject vantage: health green while a core route fails.",
    HealthNames "health.names" [] "Subject vantage: dependencies that a failing health answer names.",
    HealthTooDeep "health.too_deep" ["yes", "no"] "Subject vantage: health fails for a dependency while other routes work.",

    LimitSeen "limit.seen" ["yes", "no"] "Whether a limiter refused.",
    LimitTight "limit.tight" ["yes", "no"] "Whether it refused within so few requests that a monitor or a page load meets it.",
    LimitCount "limit.count" [] "Requests that passed before the first refusal.",
    LimitWindow "limit.window_s" [] "Its window, in seconds.",
    LimitStatus "limit.status" [] "The status of the refusal.",
    LimitHop "limit.hop" ["edge", "platform", "app", "server"] "Who refused.",
    LimitVendor "limit.vendor" [] "Whose limiter it is.",
    LimitRetryAfter "limit.retry_after_s" [] "Retry-After, in seconds.",
    LimitDrain "limit.drain" ["own", "foreign"] "Whether the budget that the limiter tells fell by our own requests alone, or by others' too.",
    LimitOrigin "limit.origin" ["yes", "no"] "Whether the origin's own name refused as well.",
    LimitHealth "limit.on_health" ["yes", "no"] "Whether health paths are limited.",

    BodyPointer "body.pointer" ["yes"] "Subject exchange: the body is a Git LFS pointer in place of the file.",
    BodySource "body.source" ["yes"] "Subject exchange: the body is the text of a program that a server would run.",
    BuildAsLocal "build.as_local" ["same", "older", "newer", "differs"] "Subject vantage: the served build against the one that the local backend names.",
    BuildEnvironment "build.environment" [] "Subject vantage: the environment that answers name.",
    BuildEnvironmentIs "build.environment_is" ["production", "other"] "Subject vantage: whether that is production.",
    BuildMixed "build.mixed" ["at-one-address", "by-address", "no"] "Subject vantage: whether the same path names different builds.",
    BuildServed "build.served" [] "Subject vantage: the build that answers name: a commit, or a version.",
    BuildServedBranch "build.served_branch" [] "Subject vantage: other branches whose newest commit that is.",
    BuildServedIs "build.served_is" ["head", "head-alike", "ancestor", "ahead", "other-branch", "not-in-history"] "Subject vantage: where the served commit stands in the history; head-alike where only documentation and tests came after it.",
    BuildServedUpstream "build.served_upstream" ["yes", "no"] "Subject vantage: whether the served commit is the newest that was pushed of this branch.",
    PageListing "page.listing" ["yes"] "Subject exchange: a listing of a folder's files.",
    PageUnsetUrl "page.unset_url" [] "Subject exchange: an address in a page or script that was never filled in, as it stands there.",

    ConfigPlatform "config.platform" [] "The platform that the deploy configuration is for.",
    ConfigFile "config.file" [] "The deploy configuration.",
    ConfigStart "config.start" [] "The start command.",
    ConfigServer "config.server" [] "The server program of the start command.",
    ConfigBind "config.bind" [] "The address that the start command binds.",
    ConfigPort "config.port" [] "The port as the start command says it.",
    ConfigPortKind "config.port_kind" ["literal", "variable", "unsaid"] "Where the start command takes the port from.",
    ConfigPortMap "config.port_map" [] "Port maps: 5000→80.",
    ConfigPortFits "config.port_fits" ["yes", "no"] "Whether the port that the server listens on is the one that the platform leads to.",
    ConfigPortMisfit "config.port_misfit" ["no-shell", "not-mapped", "port-ignored"] "Why it does not.",
    ConfigStartTarget "config.start_target" ["ok", "differs"] "Whether the start command names the file that defines the application.",
    ConfigHealthAnswer "config.health_answer" ["ok", "redirect", "guarded", "refused", "not-found", "error"] "Subject vantage: what the path of the platform's own check answers.",
    ConfigHealthPath "config.health_path" [] "The path that the platform's own check asks for.",
    HistoryBindChange "history.bind_change" [] "The last change of the bind port in the history, as: before → after.",
    HistoryPortBefore "history.port_before" [] "The port before that change.",
    HistoryBindCommit "history.bind_commit" [] "The commit of that change.",
    HistoryLiteralWorks "history.literal_worked" ["yes", "no"] "Whether the port before that change fitted as well.",
    LogSays "log.says" [] "Subject log: ids of log-lines.toml that it says and that no later, serving start has made past; the word \"nothing\" when there is none.",
    LogSaidBefore "log.said_before" [] "Subject log: ids that it said before a later start that served.",
    LogState "log.state" ["crash-loop", "down", "running", "unclear"] "Subject log: how the process stands at its end.",
    LogStarts "log.starts" [] "Subject log: how often the process starts in it.",
    LogListens "log.listens" [] "Subject log: addresses that the server says it listens on.",
    LogBind "log.bind" ["loopback", "any", "other"] "Subject log: which kind of address the last of them is.",
    LogPort "log.port" [] "Subject log: the port of the last of them.",
    LogPortFits "log.port_fits" ["yes", "no"] "Subject log: whether that port is one that the deploy configuration leads to.",
    LogExit "log.exit" [] "Subject log: exit codes.",
    LogSignal "log.signal" [] "Subject log: signals that ended a process.",
    LogModule "log.module" [] "Subject log: modules or libraries that are not there.",
    LogModuleKind "log.module_kind" ["start-target", "own", "declared", "dev-declared", "third-party", "unclear"] "Subject log: what kind of module the last missing one is.",
    LogVariable "log.variable" [] "Subject log: variables that are not set or empty.",
    LogVariableSet "log.variable_set" ["yes", "no"] "Subject log: whether the deploy configuration sets such a variable.",
    LogHost "log.host" [] "Subject log: hosts that could not be reached or refused.",
    LogHostKind "log.host_kind" ["this-machine", "short-name", "private", "remote"] "Subject log: what kind of host the last of them is.",
    LogException "log.exception" [] "Subject log: the last exception.",
    LogPath "log.path" [] "Subject log: files, programs or routes that failing lines name.",
    LogPlace "log.place" [] "Subject log: the project's own frame of the last exception that ended something.",
    LogAge "log.age_s" [] "Subject log: seconds from its last time to the audit's beginning.",
    GitBranch "git.branch" [] "The branch checked out.",
    GitMainBranch "git.on_main" ["yes", "no"] "Whether that branch is named main or master.",
    GitAhead "git.ahead" [] "Commits that the upstream lacks.",
    GitBehind "git.behind" [] "Commits that this branch lacks.",
    GitDefaultIs "git.default_is" ["same", "differs"] "Whether the remote's own branch is the one checked out.",
    GitDeployBranch "git.deploy_branch" [] "Branches that the deploy configuration deploys.",
    GitDeployBranchIs "git.deploy_branch_is" ["same", "differs"] "Whether the branch checked out is among them.",
    GitHeadOnRemote "git.head_on_remote" ["yes", "no"] "Whether the newest commit here is the newest on the remote branch.",
    GitUncommitted "git.uncommitted" [] "Files changed or added and not committed.",
    GitClean "git.clean" ["yes", "no"] "Whether everything is committed and pushed.",
    EnvUnset "env.unset" [] "Variables that the code reads without a default and that the deploy configuration does not set.",
    ProjectFramework "project.framework" [] "The web framework.",
    ProjectEntry "project.entry" [] "The file that defines the application.",
    ProjectSignDetail "project.sign_detail" [] "Subject sign: what exactly.",
    ProjectSignPlace "project.sign_place" [] "Subject sign: where.",
    ProjectSigns "project.signs" [] "Signs of the project folder; the word \"none\" when it was read and shows none.",
    IngressLists "ingress.lists_host" ["yes", "no"] "Whether the ingress rules name the audited host.",
    HostPassing "host.passing" ["no", "workspace", "tunnel", "preview"] "Whether the public name is one of a workspace, a tunnel or a preview, or leads to one.",
    HostPassingName "host.passing_name" [] "That name.",
    HostPassingVendor "host.passing_vendor" [] "Whose it is.",
    SiteWake "site.wake" ["slow-first", "failed-first", "no"] "Subject vantage: only the first answers were slow, or failed.",
    WallPlatform "wall.platform" [] "Subject vantage: the platform that asks for a login on every path.",
    HostNear "host.near" [] "Another host in the project's files, at most two letters from the audited one.",

    TestsOutcome "tests.outcome" ["passed", "failed", "collection-error", "none-ran", "timed-out", "crashed"] "How the tests as declared ended.",
    TestsCommand "tests.command" [] "The test command.",
    TestsRunner "tests.runner" [] "The runner.",
    TestsCollected "tests.collected" [] "Tests found by the command as declared.",
    TestsFailed "tests.failed" [] "Tests failed by the command as declared.",
    TestsImport "tests.import" [] "The failing import, quoted.",
    TestsGap "tests.gap" [] "The project's own module that its tests cannot import.",
    TestsGapPath "tests.gap_path" [] "The folder that is not on the import path.",
    TestsFailure "tests.failure" ["service", "variable", "assertion", "other"] "Kinds of failure that the run shows: a service or variable that is absent, an assertion.",
    TestsForeign "tests.foreign_module" [] "A module that is missing and is not the project's own.",
    TestsRemedy "tests.remedy" ["collects", "still-broken"] "The remedy, tried.",
    TestsRemedyWhat "tests.remedy_what" [] "The remedy in words.",
    TestsRemedyCollected "tests.remedy_collected" [] "Tests found with the remedy.",
    TestsRemedyFailed "tests.remedy_failed" [] "Tests failed with the remedy.",

}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_keys_and_are_unique() {
        for key in FactKey::ALL {
            assert_eq!(FactKey::parse(key.name()), Some(*key), "{key}");
        }
        let mut names: Vec<_> = FactKey::ALL.iter().map(|key| key.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FactKey::ALL.len());
    }
}
