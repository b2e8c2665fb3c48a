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
    TargetDomain "target.domain" [] "The registered domain of the audited host.",
    TargetPath "target.path" [] "The path of the first endpoint.",
    VantageReach "vantage.reach" ["yes", "no"] "Whether anything outside answered this machine.",
    VantageAnswered "vantage.answered" ["dns", "edge", "origin"] "Which kinds of outside service answered.",
    VantageFamily "vantage.family" ["ok", "no-route"] "Subject IPv4 or IPv6: whether a peer answered over it, or this machine has no route for it.",
    ClockOffset "clock.offset_s" [] "This machine's clock minus the servers' Date headers, in seconds.",
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
    DnsCnameIsDeploy "dns.cname_is_deploy" ["yes", "no"] "Whether the canonical names on the way include the name that the deploy configuration gives the application.",
    DnsCnameOwner "dns.cname_owner" [] "Who owns the last canonical name.",
    DnsOwner "dns.owner" [] "Who owns the addresses.",
    DnsOwnerRole "dns.owner_role" ["edge", "platform", "cloud", "dns"] "What the owner of the addresses does.",
    DnsNs "dns.ns" [] "Name servers of the zone.",
    DnsNsOwner "dns.ns_owner" [] "Who runs the name servers.",
    DnsEde "dns.ede" [] "Extended DNS error codes seen (RFC 8914).",
    DnsApex "dns.apex" ["yes", "no"] "Whether the audited host is the zone's own name.",
    DnsAsOrigin "dns.as_origin" ["yes", "no"] "Whether the host has an address of the platform's own name.",
    DnsBare "dns.bare" ["yes", "no"] "Whether the delegated zone holds nothing but itself: no address and no mail at the domain, no www.",
    DnsCaa "dns.caa" ["none", "nobody", "usual", "others", "fails"] "Whom the nearest CAA set allows: nobody, one of the usual authorities, or only others.",
    DnsCaaIssuers "dns.caa_issuers" [] "Authorities that the nearest CAA set allows.",
    DnsCaaName "dns.caa_name" [] "The name that has the nearest CAA set.",
    DnsClass "dns.class" ["global", "private", "loopback", "link-local", "shared", "unspecified", "several"] "Subject recursive, authoritative or system: the class of the addresses that they give.",
    DnsCopy "dns.copy" ["better", "differs", "same", "absent"] "A copy of the zone to which nobody is sent, against the zone that the world is sent to.",
    DnsCopyAt "dns.copy_at" [] "Servers that hold a copy with the host, and to which nobody is sent.",
    DnsCopyNewer "dns.copy_newer" ["yes", "no"] "Whether that copy has a higher serial than the zone that the world is sent to.",
    DnsDelegation "dns.delegation" ["same", "partly", "differs"] "The parent's NS set against the zone's own.",
    DnsDifference "dns.difference" ["same", "other-address", "sinkhole", "absent", "empty", "more", "fails"] "Subject one resolver: its answer against that of the zone's own servers.",
    DnsDoubled "dns.doubled" ["there", "absent"] "Whether the name exists with the zone's name appended twice.",
    DnsDoubledName "dns.doubled_name" [] "That name.",
    DnsElsewhere "dns.elsewhere" [] "Servers that target or project name for the zone, and that the delegation does not.",
    DnsElsewherePlace "dns.elsewhere_place" ["document", "infrastructure", "target"] "Where those servers are named: in documents, in infrastructure files and scripts, or by the target.",
    DnsHostsAddress "dns.hosts_address" [] "What the hosts file gives for the host.",
    DnsHostsFile "dns.hosts_file" ["none", "same", "differs", "alone"] "The hosts file's entry for the host against DNS.",
    DnsHostsPlace "dns.hosts_place" [] "The hosts file.",
    DnsKeys "dns.keys" ["match", "mismatch", "no-keys", "no-ds"] "DS records of the parent against the zone's keys.",
    DnsNegativeSoa "dns.negative_soa" ["zone", "none"] "Subject one resolver: whether its no carries the SOA of the zone, as one from the zone does.",
    DnsOtherRecords "dns.other_records" [] "Record types that a host without address has; the word none when it has neither TXT nor MX.",
    DnsParent "dns.parent" ["delegated", "empty", "absent"] "What the parent's servers say of the domain.",
    DnsParentNs "dns.parent_ns" [] "Name servers that the parent publishes.",
    DnsResolverOwn "dns.resolver_own" ["yes", "no"] "Subject one resolver that differs: whether it claims authority for its answer.",
    DnsResolversAgree "dns.resolvers_agree" ["yes", "no"] "Whether the resolvers asked say the same.",
    DnsSecurity "dns.security" ["ok", "broken", "expired", "future"] "What a validating resolver sees of a zone that the parent calls signed.",
    DnsSerials "dns.serials" ["same", "differ"] "Whether the zone's servers hold one version of it.",
    DnsServersAgree "dns.servers_agree" ["yes", "no"] "Whether the zone's servers give the same for the host.",
    DnsSignatures "dns.signatures" ["valid", "expired", "future"] "Dates of the signatures against this machine's clock.",
    DnsSignaturesEnd "dns.signatures_end" [] "When the first signature ends or ended, as YYYYMMDDHHmmSS.",
    DnsSplit "dns.split" ["yes"] "Subject one resolver that makes an answer of its own which the zone's servers do not give.",
    DnsTtl "dns.ttl_s" [] "Time to live of the host's addresses at the zone's own servers.",
    DnsTtlLeft "dns.ttl_left_s" [] "Subject one resolver that differs: seconds for which it will keep its answer.",
    DnsTtlRuns "dns.ttl_runs" ["down", "still"] "Subject one resolver that differs: whether that time runs down, as in a cache.",
    DnsTwin "dns.twin" ["ok", "nxdomain", "nodata", "dangling", "servfail"] "The host with or without www.",
    DnsTwinAlias "dns.twin_alias" [] "What the twin is an alias of.",
    DnsTwinName "dns.twin_name" [] "The host with or without www.",
    DnsUnchecked "dns.unchecked" ["ok", "nodata", "nxdomain", "dangling", "loop", "servfail", "refused", "silent", "other"] "What a resolver says when it is asked not to validate.",
    DnsWildcard "dns.wildcard" ["none", "same", "other"] "What a random name beside the host gets.",
    RdapChanged "rdap.changed_days" [] "Days since the registration last changed.",
    RdapDaysLeft "rdap.days_left" [] "Whole days until the registration ends; negative when it has ended.",
    RdapServers "rdap.servers" ["none", "listed", "as-parent", "differs"] "Name servers of the registration against what the parent publishes.",
    RdapState "rdap.state" ["active", "hold", "expired", "lapsed", "absent"] "The registration.",
    RdapStatus "rdap.status" [] "Its status values.",

    TcpOutcome "tcp.outcome" ["ok", "refused", "silent", "unreachable", "reset", "no-route"] "Subject vantage and address.",
    AddressBad "address.bad" [] "Addresses of the host that do not serve.",
    AddressStates "address.states" ["alike", "mixed", "failing"] "Addresses of one family that are published together.",
    TcpState "tcp.state" ["ok", "refused", "silent", "unreachable", "reset", "mixed"] "Subject vantage.",
    FamilyState "family.state" ["ok", "refused", "silent", "unreachable", "reset", "tls", "other-answer"] "Subject IPv4 or IPv6 at the edge.",

    TlsOutcome "tls.outcome" ["ok", "alert", "plain-http", "not-tls", "silent", "reset", "closed", "malformed"] "Subject vantage and address.",
    TlsAlert "tls.alert" [] "The alert's name.",
    TlsVerify "tls.verify" ["ok", "expired", "not-yet-valid", "name", "chain", "self-signed", "unknown-issuer", "other"] "Subject vantage and address.",
    TlsDaysLeft "tls.days_left" [] "Whole days until the leaf ends; negative when it has ended.",
    TlsNames "tls.names" [] "Names that the leaf covers.",
    TlsNamesOwner "tls.names_owner" [] "The service under whose own domain the leaf's names lie.",
    TlsIssuer "tls.issuer" [] "The leaf's issuer.",
    TlsChainLength "tls.chain_length" [] "Certificates sent.",
    TlsAia "tls.aia" ["yes", "no"] "Whether the leaf says where its issuer can be fetched.",

    HttpOutcome "http.outcome" ["answered", "refused", "silent", "unreachable", "reset", "closed", "tls", "plain-http", "not-tls", "malformed", "too-large", "other"] "Subject exchange.",
    HttpStatus "http.status" [] "Subject exchange: the status code.",
    HttpType "http.type" [] "Subject exchange: the media type.",
    HttpBody "http.body_kind" ["json", "html", "text", "empty", "binary"] "Subject exchange.",
    HttpComplete "http.complete" ["yes", "no"] "Subject exchange: whether the body came whole.",
    HttpFingerprint "http.fingerprint" [] "Subject exchange: status, type and the beginning of the body's hash.",
    HttpWriter "http.writer" ["app", "platform", "edge", "server", "balancer"] "Subject exchange: who wrote the answer.",
    HttpMeaning "http.meaning" [] "Subject exchange: the meaning of the best signature.",
    HttpSignature "http.signature" [] "Subject exchange: the best signature.",
    HttpMarkers "http.markers" [] "Subject exchange: hops that the answer shows it passed.",
    HttpElapsed "http.elapsed_class" ["instant", "short", "connect-limit", "round-30", "round-60", "round-120", "other"] "Subject exchange.",
    CacheState "cache.state" ["hit", "miss", "bypass"] "Subject exchange.",
    CacheAge "cache.age_s" [] "Subject exchange: the Age header, in seconds.",
    RedirectKind "redirect.kind" ["self", "scheme-loop", "host", "path", "upgrade"] "Subject exchange.",

    EndpointOutcome "endpoint.outcome" ["ok", "not-found", "app-error", "gateway-error", "html-for-json", "wrong-type", "wrong-shape", "error-in-body", "forbidden", "redirect", "blocked", "challenged", "unexpected-status", "cut", "no-answer"] "Subject vantage and path.",
    EndpointAsLocal "endpoint.as_local" ["same", "differs"] "Subject vantage and path: whether the JSON has the local answer's shape.",
    RouteState "route.state" ["exists", "missing"] "Subject vantage and path: for routes that are not asked with their own method.",
    RouteLocalOnly "route.local_only" ["yes", "no"] "Subject vantage and path: the local backend has this route and the application in production says that it has not.",
    RoutePrefix "route.prefix" ["shifted"] "Subject vantage and path: the path is not there, and with a segment more or less in front it gives what the local backend gives here.",
    RouteFresh "route.fresh_files" [] "Files changed, added or not pushed, of a project whose route is missing in production.",

    TrialOutcome "trial.outcome" ["answered", "refused", "silent", "unreachable", "reset", "closed", "tls", "plain-http", "not-tls", "malformed", "too-large", "other"] "Subject trial, vantage and path: what became of a deciding request.",
    TrialStatus "trial.status" [] "Subject trial, vantage and path: the status code.",
    TrialType "trial.type" [] "Subject trial, vantage and path: the media type.",
    TrialBody "trial.body_kind" ["json", "html", "text", "empty", "binary"] "Subject trial, vantage and path.",
    TrialLocation "trial.location" [] "Subject trial, vantage and path: where a redirect leads.",
    TrialHeaders "trial.headers" [] "Subject trial, vantage and path: all header fields, as: name: value.",
    TrialMeaning "trial.meaning" [] "Subject trial, vantage and path: the meaning of the best signature.",
    TrialWriter "trial.writer" ["app", "platform", "edge", "server", "balancer"] "Subject trial, vantage and path: who wrote the answer.",
    TrialAsPlain "trial.as_plain" ["same", "better", "worse", "differs"] "Subject trial, vantage and path: the answer held against that of the plain request.",
    SiteKind "site.kind" ["application", "nothing-here", "other-site", "gateway-error", "app-error", "blocked", "challenged", "suspended", "starting", "default-page", "maintenance", "redirect-loop", "forbidden", "no-answer", "unclear"] "Subject vantage.",
    SiteParked "site.parked" ["yes", "no"] "Subject edge: whether a registrar's or dealer's page is shown.",
    SiteMeaning "site.meaning" [] "Subject vantage: what most answers say by their signature.",
    SiteVendor "site.vendor" [] "Subject vantage: whose signature that is.",
    SiteWriter "site.writer" ["app", "platform", "edge", "server", "balancer"] "Subject vantage: who wrote most answers.",
    SiteStatus "site.status" [] "Subject vantage: the commonest status.",
    SiteUniform "site.uniform" ["yes", "no"] "Subject vantage: whether every path, the random control included, got the same bytes.",
    SiteControl "site.control_status" [] "Subject vantage: status of the random path.",
    SiteReachesApp "site.reaches_app" ["yes", "no"] "Subject vantage: whether any answer came from the application.",
    SiteElapsed "site.elapsed_class" ["instant", "short", "connect-limit", "round-30", "round-60", "round-120", "other"] "Subject vantage: how long failing answers took.",
    SiteRepeat "site.repeat" ["stable", "alternating", "by-address"] "Subject vantage: the same question again.",
    SiteLimitedOnly "site.limited_only" [] "Subject vantage: questions that never got past the limiter.",
    SiteNotFoundShape "site.not_found_shape" ["same", "differs"] "Subject vantage: whether its 404 looks as the local application's.",

    PairState "pair.state" ["same", "differs"] "Edge and origin, asked the same.",
    PairPath "pair.path" ["same", "differs", "origin-better", "edge-better"] "Subject path.",

    LocalState "local.state" ["ok", "failing", "refused", "silent", "other-program", "no-answer"] "The local backend.",
    HealthState "health.state" ["ok", "failing"] "Subject vantage: the health routes.",
    CoreState "core.state" ["ok", "app-error", "gateway-error", "not-found", "other"] "Subject vantage: the core routes.",
    HealthContradicts "health.contradicts" ["yes", "no"] "Subject vantage: health green while a core route fails.",

    LimitSeen "limit.seen" ["yes", "no"] "Whether a limiter refused.",
    LimitTight "limit.tight" ["yes", "no"] "Whether it refused within so few requests that a monitor or a page load meets it.",
    LimitCount "limit.count" [] "Requests that passed before the first refusal.",
    LimitWindow "limit.window_s" [] "Its window, in seconds.",
    LimitStatus "limit.status" [] "The status of the refusal.",
    LimitHop "limit.hop" ["edge", "platform", "app", "server"] "Who refused.",
    LimitVendor "limit.vendor" [] "Whose limiter it is.",
    LimitRetryAfter "limit.retry_after_s" [] "Retry-After, in seconds.",
    LimitOrigin "limit.origin" ["yes", "no"] "Whether the origin's own name refused as well.",
    LimitHealth "limit.on_health" ["yes", "no"] "Whether health paths are limited.",

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
    ConfigHealthPath "config.health_path" [] "The path that the platform's own check asks for.",
    HistoryBindChange "history.bind_change" [] "The last change of the bind port in the history, as: before → after.",
    HistoryPortBefore "history.port_before" [] "The port before that change.",
    HistoryBindCommit "history.bind_commit" [] "The commit of that change.",
    HistoryLiteralWorks "history.literal_worked" ["yes", "no"] "Whether the port before that change fitted as well.",
    GitBranch "git.branch" [] "The branch checked out.",
    GitMainBranch "git.on_main" ["yes", "no"] "Whether that branch is named main or master.",
    GitAhead "git.ahead" [] "Commits that the upstream lacks.",
    GitBehind "git.behind" [] "Commits that this branch lacks.",
    GitUncommitted "git.uncommitted" [] "Files changed or added and not committed.",
    GitClean "git.clean" ["yes", "no"] "Whether everything is committed and pushed.",
    EnvUnset "env.unset" [] "Variables that the code reads without a default and that the deploy configuration does not set.",
    ProjectFramework "project.framework" [] "The web framework.",
    ProjectEntry "project.entry" [] "The file that defines the application.",
    HostNamed "host.named" [] "Where the project names the audited host itself.",
    HostNear "host.near" [] "Another host in the project's files, at most two letters from the audited one.",
    HostNearPlace "host.near_place" [] "Where it stands.",
    HostNearResolves "host.near_resolves" [] "Those of them that have an address; the word none when none has.",
    ProjectApexAlias "project.apex_alias" [] "An alias at the zone's own name in the project's files.",
    ProjectHostEntry "project.host_entry" [] "Where the project tells a machine the host's address past DNS.",

    TestsOutcome "tests.outcome" ["passed", "failed", "collection-error", "none-ran", "timed-out", "crashed"] "How the tests as declared ended.",
    TestsCommand "tests.command" [] "The test command.",
    TestsRunner "tests.runner" [] "The runner.",
    TestsCollected "tests.collected" [] "Tests found by the command as declared.",
    TestsFailed "tests.failed" [] "Tests failed by the command as declared.",
    TestsImport "tests.import" [] "The failing import, quoted.",
    TestsGap "tests.gap" [] "The project's own module that its tests cannot import.",
    TestsGapPath "tests.gap_path" [] "The folder that is not on the import path.",
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
