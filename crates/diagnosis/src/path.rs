//! The way of a request, hop by hop, with the hop that broke it.
//!
//! Who stands in the way is told by headers that each hop adds, by the owner of the address, and by the form of the
//! answer; two kinds of source make a vendor sure. Which hop is broken is told by the main cause where one is likely,
//! else by who wrote the answer: a hop that answers for itself is broken itself, a hop that complains about the next
//! one was reached and did its part.

use std::collections::BTreeSet;

use landfall_evidence::{HttpResponse, Vantage};

use crate::attribution::{self, Author, vendor_name};
use crate::case::Case;
use crate::deploy_config;
use crate::facts::{Writer, same_vendor};
use crate::fields::{CacheReading, CacheWord, ProxyError, joined};
use crate::owners::OwnerRole;
use crate::signatures::{Meaning, SignatureHop};
use crate::view::{Fault, Grade, Reading, keys};
use crate::words::in_words;
use crate::{Certainty, Hop, HopKind, HopState, Label, Sure};

/// The hops from the client to the application; empty when production was not asked.
pub(crate) fn path(case: &Case<'_>) -> Vec<Hop> {
    let readings = case.view.readings(Vantage::Edge);
    let asked =
        |r: &&&Reading<'_>| r.at.is_some_and(|(_, seen)| seen.answer.was_asked()) || r.fault().is_some();
    let spoke = |r: &&Reading<'_>| r.response().is_some();
    let good = readings.iter().find(|r| r.is_good() && r.endpoint.is_safe());
    let bad = readings
        .iter()
        .find(|r| r.fault().is_some() && spoke(r))
        .or_else(|| readings.iter().find(|r| r.fault().is_some()));
    let Some(shown) = bad.or(good).or_else(|| readings.iter().find(asked)) else { return Vec::new() };
    let mut way = Way::discover(case, shown);
    match shown.fault() {
        None if shown.is_good() => way.all_ok(case, shown),
        None => way.hidden(shown),
        Some(fault) => {
            let (kind, why) = broken_at(case, shown, fault, &way);
            way.break_at(kind, why);
            way.add_own_word(shown);
            if way.hops.last().is_some_and(|app| app.state == HopState::NotReached) {
                let why = own_style(case);
                way.app().proof.extend(why);
            }
        }
    }
    way.name_certainty(case, shown);
    way.hops
}

struct Way {
    hops: Vec<Hop>,
}

impl Way {
    /// The hops that the evidence shows, all in the state "ok" for now.
    fn discover(case: &Case<'_>, shown: &Reading<'_>) -> Self {
        let request = shown.at.map(|(_, seen)| &seen.request);
        let address = request.and_then(|r| r.address).map(|a| a.ip());
        let owner = address.and_then(|a| case.catalogue().owner_of_address(a));
        let passed = shown.response().map(|r| attribution::passed(r, case.catalogue())).unwrap_or_default();
        let mut hops = vec![Hop {
            hop: HopKind::Client,
            vendor: None,
            address: None,
            state: HopState::Ok,
            proof: request.map(|r| format!("asked {} from this machine", r.url)).into_iter().collect(),
            certainty: None,
            hides: Vec::new(),
        }];

        // The outermost hop is whoever owns the address. Google's load balancer marks every platform behind it the same
        // way, so its marker alone does not make an edge.
        let by_address = owner.filter(|o| o.role == OwnerRole::Edge).map(|o| o.vendor.as_str());
        let by_header =
            passed.iter().find(|p| p.hop == SignatureHop::Edge && p.vendor != "google").map(|p| p.vendor);
        let edge = by_address.or(by_header);
        if let Some(vendor) = edge {
            let mut proof: Vec<String> =
                passed.iter().filter(|p| p.vendor == vendor).map(|p| p.proof.clone()).collect();
            if by_address == Some(vendor) {
                proof.extend(
                    address.map(|a| format!("address {a} belongs to {} (strong)", vendor_name(vendor))),
                );
            }
            hops.push(hop(HopKind::Edge, Some(vendor_name(vendor)), address.map(|a| a.to_string()), proof));
        }
        let rest: Vec<_> = passed.iter().filter(|p| Some(p.vendor) != edge).collect();

        let behind: Vec<_> =
            rest.iter().filter(|p| matches!(p.hop, SignatureHop::Edge | SignatureHop::Platform)).collect();
        let platform = platform_name(case, shown);
        if !behind.is_empty() || platform.is_some() {
            let carrier = behind.first().map(|p| vendor_name(p.vendor));
            let mut proof: Vec<String> = behind.iter().map(|p| p.proof.clone()).collect();
            let vendor = match (carrier, platform) {
                (Some(carrier), Some((name, why))) if carrier != name => {
                    proof.push(why);
                    Some(format!("{carrier} ({name})"))
                }
                (Some(carrier), _) => Some(carrier),
                (None, Some((name, why))) => {
                    proof.push(why);
                    Some(name)
                }
                (None, None) => None,
            };
            proof.extend(own_name(case));
            hops.push(hop(HopKind::Platform, vendor, None, proof));
        }
        for (kind, of) in
            [(HopKind::Balancer, SignatureHop::Balancer), (HopKind::Origin, SignatureHop::Server)]
        {
            let here: Vec<_> = rest.iter().filter(|p| p.hop == of).collect();
            if let Some(first) = here.first() {
                let proof = here.iter().map(|p| p.proof.clone()).collect();
                hops.push(hop(kind, Some(vendor_name(first.vendor)), None, proof));
            }
        }
        let framework =
            case.evidence().project().and_then(|(_, p)| p.stacks.iter().find_map(|s| s.framework.as_ref()));
        hops.push(hop(HopKind::App, framework.map(|f| f.name.clone()), None, Vec::new()));
        if edge.is_none()
            && let Some(first) = hops.get_mut(1)
        {
            first.address = address.map(|a| a.to_string());
        }
        Self { hops }
    }

    /// What an intermediary says of the failure in a field of its own (RFC 9209) stands with the hop that is broken.
    fn add_own_word(&mut self, shown: &Reading<'_>) {
        let error =
            shown.response().and_then(|r| joined(r, "proxy-status")).and_then(|f| ProxyError::parse(&f));
        if let (Some(error), Some(hop)) = (error, self.hops.iter_mut().find(|h| h.state == HopState::Broken))
        {
            hop.proof.push(format!("Proxy-Status: {} (strong)", error.in_words()));
        }
    }

    /// How surely each hop is the vendor that is named, and what stays hidden behind it.
    fn name_certainty(&mut self, case: &Case<'_>, shown: &Reading<'_>) {
        let known = Signs::of(case, shown);
        for hop in &mut self.hops {
            if matches!(hop.hop, HopKind::Client | HopKind::App) {
                continue;
            }
            let Some(name) = hop.vendor.clone() else { continue };
            let (certainty, vendor) = known.certainty(&name);
            hop.certainty = Some(certainty);
            if hop.state != HopState::NotReached {
                hop.hides = hidden_by(hop.hop, vendor.as_deref(), shown);
            }
        }
    }

    fn app(&mut self) -> &mut Hop {
        self.hops.last_mut().expect("a way always ends in the application")
    }

    /// The hop of a kind, or the first one behind it, added where it belongs when there is none.
    fn index_of(&mut self, kind: HopKind) -> usize {
        match self.hops.iter().position(|h| h.hop >= kind) {
            Some(at) if self.hops[at].hop == kind => at,
            Some(at) => {
                self.hops.insert(at, hop(kind, None, None, Vec::new()));
                at
            }
            None => self.hops.len() - 1,
        }
    }

    fn break_at(&mut self, kind: HopKind, why: String) {
        let at = self.index_of(kind);
        for (i, hop) in self.hops.iter_mut().enumerate() {
            hop.state = match i.cmp(&at) {
                std::cmp::Ordering::Less => HopState::Ok,
                std::cmp::Ordering::Equal => HopState::Broken,
                std::cmp::Ordering::Greater => HopState::NotReached,
            };
        }
        // The signature may already have named the platform.
        let proof = &mut self.hops[at].proof;
        let told = proof.iter().any(|known| why.ends_with(known.as_str()));
        let why = if told { why.split(": ").next().unwrap_or(&why).to_owned() } else { why };
        proof.push(why);
    }

    /// Production works: the answer itself proves the application.
    fn all_ok(&mut self, case: &Case<'_>, shown: &Reading<'_>) {
        let proof = likeness(case, shown);
        self.app().proof.extend(proof);
    }

    /// Something was asked, and nothing can be said of what lies behind the hop that answered.
    fn hidden(&mut self, shown: &Reading<'_>) {
        let answered = usize::from(shown.response().is_some());
        for hop in self.hops.iter_mut().skip(1 + answered) {
            hop.state = HopState::Unknown;
        }
        if let Grade::Unseen(why) = &shown.grade {
            let why = why.clone();
            self.app().state = HopState::Unknown;
            self.app().proof.push(why);
        }
    }
}

fn hop(kind: HopKind, vendor: Option<String>, address: Option<String>, proof: Vec<String>) -> Hop {
    Hop { hop: kind, vendor, address, state: HopState::Ok, proof, certainty: None, hides: Vec::new() }
}

/// Everything that names a vendor, by the kind of proof.
struct Signs {
    /// The vendor as the catalogue spells it, the kind, and whether the sign is strong.
    all: Vec<(String, &'static str, bool)>,
}

/// From this weight on a header or body is a strong sign: class A of table 3.4.
const STRONG_PERCENT: u8 = 80;

impl Signs {
    fn of(case: &Case<'_>, shown: &Reading<'_>) -> Self {
        let mut all = Vec::new();
        let catalogue = case.catalogue();
        if let Some(response) = shown.response() {
            for passed in attribution::passed(response, catalogue) {
                all.push((passed.vendor.to_owned(), "header", passed.weight_percent >= STRONG_PERCENT));
            }
            if let Some(author) = attribution::author(response, catalogue) {
                all.push((
                    author.vendor.to_owned(),
                    "body",
                    author.weight_percent >= STRONG_PERCENT && !author.tied,
                ));
            }
        }
        let address = shown.at.and_then(|(_, seen)| seen.request.address);
        if let Some(owner) = address.and_then(|a| catalogue.owner_of_address(a.ip())) {
            // A cloud's range belongs to whoever rents there.
            all.push((owner.vendor.clone(), "address", owner.role != OwnerRole::Cloud));
        }
        let aliases = case.evidence().dns().filter_map(|(_, seen)| seen.answer.present());
        let aliases: BTreeSet<&str> = aliases.flat_map(|answer| answer.data_of("CNAME")).collect();
        let own = case.evidence().target.origin.as_ref().and_then(|url| url.host_str());
        for name in aliases.into_iter().chain(own) {
            all.extend(catalogue.owner_of_cname(name).map(|owner| (owner.vendor.clone(), "alias", true)));
        }
        let leaves = case.evidence().tls().filter_map(|(_, seen)| seen.answer.present()?.chain.first());
        for name in leaves.flat_map(|leaf| &leaf.san) {
            let owner = catalogue.owner_of_cname(name.trim_start_matches("*."));
            all.extend(owner.map(|owner| (owner.vendor.clone(), "certificate", true)));
        }
        Self { all }
    }

    /// The certainty about a vendor under the name that people see, and the catalogue's spelling of it.
    fn certainty(&self, name: &str) -> (Certainty, Option<String>) {
        let of = |vendor: &str| {
            name == vendor_name(vendor) || name.starts_with(&format!("{} (", vendor_name(vendor)))
        };
        let vendor = self.all.iter().find(|(vendor, ..)| of(vendor)).map(|(vendor, ..)| vendor.clone());
        let signs: Vec<_> = self
            .all
            .iter()
            .filter(|(v, ..)| vendor.as_deref().is_some_and(|own| same_vendor(v, own)))
            .collect();
        let kinds: BTreeSet<&str> = signs.iter().map(|(_, kind, _)| *kind).collect();
        let strong = signs.iter().any(|(.., strong)| *strong);
        let level = match (kinds.len(), strong) {
            (2.., true) => Sure::Certain,
            (1, true) | (2.., false) => Sure::Likely,
            _ => Sure::Possible,
        };
        (Certainty { level, kinds: kinds.into_iter().map(str::to_owned).collect() }, vendor)
    }
}

/// What cannot be seen because of a hop, and what its marks do not prove (table 3.4).
fn hidden_by(kind: HopKind, vendor: Option<&str>, shown: &Reading<'_>) -> Vec<String> {
    let mut hidden = Vec::new();
    let mut say = |what: &str| hidden.push(what.to_owned());
    if kind == HopKind::Edge {
        say("the origin's address, its certificate and its HTTP versions, which end at the edge");
    }
    match vendor {
        Some("cloudfront" | "aws-cloudfront") => say("whether a bucket or a balancer stands behind"),
        Some("vercel") => say("whether it is the right project; its deployment id would tell"),
        Some("fly") => say("which machine answered"),
        Some("render" | "railway" | "heroku") => say("the region and instance that ran"),
        Some("envoy") => say("which mesh or ingress it belongs to"),
        _ => {}
    }
    if kind == HopKind::Edge
        && let Some(copy) = shown.response().and_then(CacheReading::of_response)
        && copy.word == CacheWord::Stored
    {
        hidden.push(format!("whether the origin was reached: this answer is a stored copy ({})", copy.by));
    }
    hidden
}

/// The hosting platform, by the answer's form, by the platform's own name for the deployment, or by the project's
/// configuration; with its proof.
fn platform_name(case: &Case<'_>, shown: &Reading<'_>) -> Option<(String, String)> {
    let author = shown.response().and_then(|r| attribution::author(r, case.catalogue()));
    if let Some(author) = author.filter(|a| a.hop == SignatureHop::Platform) {
        return Some((vendor_name(author.vendor), author.proof()));
    }
    if let Some(host) = case.evidence().target.origin.as_ref().and_then(|url| url.host_str())
        && let Some(owner) = case.catalogue().owner_of_cname(host).filter(|o| o.role == OwnerRole::Platform)
    {
        return Some((
            vendor_name(&owner.vendor),
            format!("its own name for the deployment is {host} (medium)"),
        ));
    }
    let (_, project) = case.evidence().project()?;
    let config =
        deploy_config::production(project).find(|c| !matches!(c.platform.as_str(), "docker" | "procfile"))?;
    Some((vendor_name(&config.platform), format!("{} names it (weak)", config.file)))
}

/// What the platform's own name answers.
fn own_name(case: &Case<'_>) -> Option<String> {
    let host = case.evidence().target.origin.as_ref()?.host_str()?;
    let readings = case.view.readings(Vantage::Origin);
    let good = readings.iter().find(|r| r.is_good());
    let bad = readings.iter().find(|r| r.fault().is_some());
    match (good, bad) {
        (Some(_), None) => Some(format!("under its own name {host} the application answers (strong)")),
        (_, Some(bad)) => {
            Some(format!("under its own name {host}: {} on {} (strong)", bad.fault()?, bad.endpoint.path))
        }
        (None, None) => None,
    }
}

/// Which hop is broken, and the words for it.
fn broken_at(case: &Case<'_>, shown: &Reading<'_>, fault: &Fault, way: &Way) -> (HopKind, String) {
    let first = way.hops.get(1).map_or(HopKind::App, |h| h.hop);
    let Some(response) = shown.response() else {
        // Nothing came back: the first hop behind the client is where the way ends, by all that can be seen.
        let kind = if first == HopKind::App { HopKind::Origin } else { first };
        return (kind, fault.to_string());
    };
    // The catalogue may know the same bytes from several hops; the comparison with the other answers has the last word.
    let by_app = shown.writer == Some(Writer::App);
    let author = attribution::author(response, case.catalogue()).filter(|a| by_app == a.hop.is_application());
    let said = match author {
        Some(author) => format!("answered {} itself: {}", response.status, author.proof()),
        None => format!("answered {fault}"),
    };
    if let Some(kind) = by_cause(case, first) {
        return (kind, if kind == HopKind::App { format!("answers {fault}") } else { said });
    }
    if by_app || case.view.serves(Vantage::Edge) {
        return (HopKind::App, format!("answers {fault} on {}", shown.endpoint.path));
    }
    if let Some(author) = author {
        return by_author(&author, response, way);
    }
    let innermost =
        way.hops.iter().rev().find(|h| !matches!(h.hop, HopKind::App | HopKind::Client)).map(|h| h.hop);
    (innermost.unwrap_or(HopKind::App), said)
}

/// The place of the main cause, when it is likely and its rivals in a tie stand at the same place.
fn by_cause(case: &Case<'_>, first: HopKind) -> Option<HopKind> {
    let place = |rung: &str| {
        Some(match rung {
            "registrar" | "delegation" | "zone" | "resolver" | "route" | "tcp" | "tls" => first,
            "edge" => HopKind::Edge,
            "platform" => HopKind::Platform,
            // Which hop meets the one that does not answer is told by the hop that complains.
            "process" | "app" | "dependency" => HopKind::App,
            _ => return None,
        })
    };
    let cause = case.main_cause().filter(|c| c.rung != "edge-origin")?;
    if let Some(tie) = case.tie_of(&cause.id) {
        let places: Vec<_> = tie.causes.iter().map(|id| place(&case.cause(id)?.rung)).collect();
        let same = places.iter().all(|p| *p == places[0]);
        return places.first().copied().flatten().filter(|_| same);
    }
    (cause.label >= Label::Likely).then(|| place(&cause.rung)).flatten()
}

fn by_author(author: &Author<'_>, response: &HttpResponse, way: &Way) -> (HopKind, String) {
    use Meaning::{
        AppCrashed, AppStarting, AppSuspended, NoHealthyUpstream, OriginBadResponse, OriginDnsFailure,
        OriginTimeout, OriginTlsFailure, OriginUnreachable,
    };
    let kind = match author.hop {
        SignatureHop::Edge => HopKind::Edge,
        SignatureHop::Platform => HopKind::Platform,
        SignatureHop::Balancer => HopKind::Balancer,
        SignatureHop::Server => HopKind::Origin,
        SignatureHop::Framework | SignatureHop::Runtime => HopKind::App,
    };
    let complains = matches!(
        author.meaning,
        AppCrashed
            | AppStarting
            | AppSuspended
            | NoHealthyUpstream
            | OriginBadResponse
            | OriginDnsFailure
            | OriginTimeout
            | OriginTlsFailure
            | OriginUnreachable
    );
    let who = vendor_name(author.vendor);
    if complains {
        let next = way.hops.iter().map(|h| h.hop).find(|h| *h > kind).unwrap_or(HopKind::App);
        return (next, format!("{who} says {} ({})", author.meaning.name(), author.proof()));
    }
    (kind, format!("answered {} itself: {}", response.status, author.proof()))
}

/// How the application itself would have answered.
fn own_style(case: &Case<'_>) -> Option<String> {
    let (_, local) = case.view.control(Vantage::Local)?;
    let (_, edge) = case.view.control(Vantage::Edge)?;
    let different = local.status != edge.status || local.media_type() != edge.media_type();
    different.then(|| {
        let words = |r: &HttpResponse| {
            format!("{} {}", r.status, r.media_type().unwrap_or_else(|| "without a media type".into()))
        };
        format!(
            "on this machine it answers unknown paths with {}, production with {}",
            words(local),
            words(edge)
        )
    })
}

/// What shows that the application itself answered.
fn likeness(case: &Case<'_>, shown: &Reading<'_>) -> Vec<String> {
    let mut proof = Vec::new();
    let Some(response) = shown.response() else { return proof };
    let path = &shown.endpoint.path;
    match (
        case.view.reading(Vantage::Local, shown.endpoint).and_then(Reading::response).and_then(keys),
        keys(response),
    ) {
        (Some(local), Some(here)) if local.iter().all(|key| here.contains(key)) => {
            proof.push(format!(
                "{path} has the same members as on this machine: {} (strong)",
                in_words(&local)
            ));
        }
        (_, Some(here)) => {
            proof.push(format!("{path} answers {} with {} (medium)", response.status, in_words(&here)))
        }
        _ => proof.push(format!("{path} answers {} as expected (weak)", response.status)),
    }
    if let (Some((_, local)), Some((_, edge))) =
        (case.view.control(Vantage::Local), case.view.control(Vantage::Edge))
        && local.status == edge.status
        && local.media_type() == edge.media_type()
        && keys(local) == keys(edge)
    {
        proof.push("it answers an unknown path like the local backend (medium)".into());
    }
    proof
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Denial, Observed, ProbeFault, Seen};

    use super::*;
    use crate::testkit::response;
    use crate::testworld::{
        World, application, deployed, dns_answer, no_deployment, origin_unknown, website, world,
    };

    fn states(world: &World) -> Vec<(HopKind, HopState)> {
        world.diagnose().path.iter().map(|h| (h.hop, h.state)).collect()
    }

    /// Everything at the edge answers like this, with no sign of a CDN.
    fn bare(status: u16, body: &'static str, server: &'static str) -> World {
        let mut world = deployed().without(|o| matches!(o.seen, Seen::Dns(_))).edit_http(|s| {
            let mut answer = response(status).header("content-type", "text/html").body(body);
            if !server.is_empty() {
                answer = answer.header("server", server);
            }
            s.answer = Observed::Present(answer.build());
            s.request.address = Some("44.33.22.11:443".parse().expect("an address"));
        });
        world.0.target.origin = None;
        world.without(|o| matches!(o.seen, Seen::Project(_)) || o.vantage == Vantage::Origin)
    }

    #[test]
    fn a_hop_that_complains_did_its_part_and_the_next_one_is_broken() {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
        let world = bare(502, page, "nginx/1.22.1");
        let path = world.diagnose().path;
        let last = path.last().expect("an application");
        assert_eq!((last.hop, last.state), (HopKind::App, HopState::Broken), "{path:#?}");
        assert!(
            path.iter().any(|h| h.vendor.as_deref() == Some("nginx") && h.state == HopState::Ok),
            "{path:#?}"
        );
        assert_eq!(
            path[1].address.as_deref(),
            Some("44.33.22.11"),
            "without an edge, the first hop has the address"
        );
    }

    #[test]
    fn a_hop_that_answers_for_itself_is_broken_itself() {
        let path = origin_unknown().diagnose().path;
        let platform = path.iter().find(|h| h.hop == HopKind::Platform).expect("it is there");
        assert_eq!(
            platform.state,
            HopState::Broken,
            "both causes of the tie stand at the platform: {path:#?}"
        );
        let wrong = world(website, Some(application), false, 0);
        assert_eq!(
            states(&wrong)[3],
            (HopKind::App, HopState::NotReached),
            "another application answered in its place"
        );
    }

    #[test]
    fn where_nothing_comes_back_the_way_ends_at_the_first_hop() {
        let reset = deployed().edit_http(|s| s.answer = Observed::Denied(Denial::Refused));
        assert_eq!(
            states(&reset),
            [
                (HopKind::Client, HopState::Ok),
                (HopKind::Edge, HopState::Broken),
                (HopKind::Platform, HopState::NotReached),
                (HopKind::App, HopState::NotReached),
            ]
        );
        let mut unresolved = deployed().edit_dns(|s| {
            if s.question.name == "api.levqor.ai" {
                s.answer = Observed::Denied(Denial::Rcode(Box::new(dns_answer(3, true, Vec::new()))));
            }
        });
        let by = unresolved.0.dns().next().expect("asked").0.id.clone();
        unresolved = unresolved.edit_http(|s| {
            s.request.address = None;
            s.answer = Observed::Unasked(ProbeFault::Blocked {
                by: by.clone(),
                reason: "the name does not resolve".into(),
            });
        });
        let diagnosis = unresolved.diagnose();
        assert_eq!(diagnosis.verdict, crate::Verdict::NotLive, "{}", diagnosis.summary);
        let broken = diagnosis.path.iter().find(|h| h.state == HopState::Broken).expect("one is");
        assert!(broken.proof.iter().any(|p| p == "the name does not resolve"), "{:#?}", diagnosis.path);
    }

    #[test]
    fn nothing_is_said_of_hops_that_a_limiter_hid() {
        let hidden = deployed().edit_http(|s| s.answer = Observed::Present(crate::testworld::refusal()));
        let path = hidden.diagnose().path;
        assert!(path.iter().skip(2).all(|h| h.state == HopState::Unknown), "{path:#?}");
        assert!(path.iter().all(|h| h.state != HopState::Broken));
    }

    #[test]
    fn an_answer_of_the_application_itself_puts_the_fault_there() {
        let world = world(no_deployment, None, true, 0).edit_http(|s| {
            if let Observed::Present(r) = &mut s.answer {
                let page = response(404).header("content-type", "text/html; charset=utf-8");
                *r = page.body(application("/unknown").body.text.as_deref().unwrap_or_default()).build();
            }
        });
        let path = world.diagnose().path;
        assert_eq!(path.last().map(|h| h.state), Some(HopState::Broken), "{path:#?}");
    }
}
