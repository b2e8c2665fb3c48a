//! Run a plan: every independent question at the same time, the rate limit last, and the evidence as one value.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_diagnosis::Catalogue;
use landfall_evidence::{
    Endpoint, EndpointSource, Evidence, Expectation, Header, HostRole, LogObservation, Observation,
    ObservationId, Observed, ProbeFault, ProjectObservation, ProjectSnapshot, Purpose, RegisteredRoutes,
    SCHEMA, Seen, Settings, StartRun, Target, TestPurpose, TestsObservation, Tool, Vantage,
};
use landfall_probe::net::{Context, Ledger, Limits, Waits};
use landfall_probe::tls::Roots;
use landfall_probe::{dns, doors, http, rate_limit, rdap, shell_word, tls};
use url::Url;

use crate::plan::{Plan, PlanError, Probe};
use crate::progress::{Progress, Step};

/// The User-Agent of every request: it names the program and where to read what it does.
pub const USER_AGENT: &str = concat!(
    "Landfall/",
    env!("CARGO_PKG_VERSION"),
    " (+",
    env!("CARGO_PKG_REPOSITORY"),
    "; deployment audit)"
);

/// How long after its deadline an audit may still take to wind down before a probe is given up on.
const GRACE: Duration = Duration::from_secs(1);

/// At most this many addresses of one name get a handshake and a parity request of their own.
const ADDRESSES: usize = 8;

/// How long an application gets to listen after its start. Platforms give a minute (Heroku's boot timeout) or less.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long the framework of a started application gets to list its routes. It loads the application once more for that.
const ROUTES_LIMIT: Duration = Duration::from_secs(30);

/// Rounds of deciding observations at most. Each round begins from all that is known by then.
const ROUNDS: usize = 3;

/// Deciding requests in one round at most.
const REQUESTS_A_ROUND: u32 = 6;

/// Collects the evidence that a plan asks for. Never longer than the plan's timeout plus a moment to wind down; what was
/// not answered by then is in the evidence as silent or not asked.
///
/// The catalogue says which further observations decide between causes that the first answers leave open; those are made
/// in at most three rounds. It decides only what is asked, never what an answer means.
///
/// # Errors
/// When the plan cannot be started at all (a root certificate file that cannot be read).
pub async fn collect(plan: &Plan, catalogue: &Catalogue, progress: &Progress) -> Result<Evidence, PlanError> {
    if !plan.start {
        return collect_from(plan, catalogue, progress, None).await;
    }
    // What is started lives as long as the questions to it, and ends on every way out: its value does that when the
    // future is dropped.
    let folder = plan.target.project.clone().unwrap_or_else(|| ".".into());
    progress.begin(Step::Start);
    let limit = START_LIMIT.min(plan.timeout);
    let started = landfall_project::start(Path::new(&folder), limit).await;
    let registered = landfall_project::registered(&started, ROUTES_LIMIT.min(plan.timeout)).await;
    progress.end(Step::Start);
    let mut of_started = plan.clone();
    of_started.start = false;
    of_started.target.local = started.url.clone();
    let begun = Begun { run: started.run.clone(), registered };
    let collected = collect_from(&of_started, catalogue, progress, Some(&begun)).await;
    started.end().await;
    collected
}

/// What is known of the application before the audit begins, because it was started for it.
struct Begun {
    run: StartRun,
    registered: RegisteredRoutes,
}

async fn collect_from(
    plan: &Plan,
    catalogue: &Catalogue,
    progress: &Progress,
    begun: Option<&Begun>,
) -> Result<Evidence, PlanError> {
    let started = Instant::now();
    let started_at = Timestamp::now();
    let ctx = Context { waits: waits(progress), ..context(plan, started)? };

    if shakes_hands(plan) {
        // While names are looked up and connections are made, so that no handshake has to wait for it.
        let roots = Arc::clone(&ctx.roots);
        tokio::task::spawn_blocking(move || roots.warm());
    }
    let mut target = plan.target.clone();
    // The questions to the network depend on what the folder names, so the folder has to be read first.
    let (project, found) = read_project(&ctx, plan, progress, begun).await;
    if target.endpoints.is_empty() {
        target.endpoints = if found.is_empty() { guessed() } else { found };
    }
    if let Some(snapshot) = snapshot_of(project.as_ref()).filter(|_| !plan.endpoints_alone)
        && let Some(host) = target.production.as_ref().and_then(|url| url.host_str().map(str::to_owned))
    {
        landfall_project::add_monitored(&mut target.endpoints, snapshot, &host);
    }
    let assemble = |observations: Vec<Observation>| {
        let mut evidence = Evidence {
            schema: SCHEMA.to_owned(),
            tool: Tool { name: "landfall".into(), version: env!("CARGO_PKG_VERSION").into() },
            target: target.clone(),
            started_at,
            took_us: ctx.offset_us(Instant::now()),
            settings: Settings {
                timeout_ms: u64::try_from(plan.timeout.as_millis()).unwrap_or(u64::MAX),
                budget: plan.budget,
                skipped: plan.skip.iter().map(|p| p.name().to_owned()).collect(),
                resolvers: plan.resolvers.iter().map(SocketAddr::to_string).collect(),
                mapped: !plan.map.is_empty(),
                user_agent: USER_AGENT.into(),
                proxy_variables: proxy_variables(),
                thresholds: plan.thresholds.clone(),
            },
            requests: ctx.ledger.counts(),
            observations: in_order(observations),
        };
        evidence.redact();
        evidence
    };
    // The tests are a process on this machine and have a limit of their own, but an audit's deadline binds them too.
    let tests = bounded(&ctx, run_tests(&ctx, plan, progress));
    let rest = async {
        let mut survey = ask_network(&ctx, plan, &target, progress).await;
        // The application writes of our own requests too, and what it says of them is what we want to know.
        survey.observations.extend(read_logs(&ctx, plan, catalogue).await);
        survey.observations.extend(project);
        if !plan.endpoints_alone {
            cross_origin(&ctx, plan, &target, &mut survey).await;
            other_host(&ctx, plan, &mut survey).await;
            described(&ctx, plan, &mut survey).await;
            look_deeper(&ctx, plan, &mut survey).await;
            decide(&ctx, plan, catalogue, &mut survey, &assemble, progress).await;
        }
        let edge = survey.edge.take();
        let limits = ask_rate_limit(&ctx, plan, edge, &survey.observations, progress).await;
        survey.observations.extend(limits);
        let forged = ask_forged(&ctx, plan, &target, &survey).await;
        survey.observations.extend(forged);
        survey.observations
    };
    let (tests, mut observations) = tokio::join!(tests, rest);
    observations.extend(tests.unwrap_or_default());
    Ok(assemble(observations))
}

/// Whether some question of the plan goes over TLS.
fn shakes_hands(plan: &Plan) -> bool {
    let target = &plan.target;
    let probes = [Probe::Tls, Probe::Http, Probe::Origin, Probe::Local, Probe::RateLimit];
    probes.iter().any(|probe| plan.runs(*probe))
        && [&target.production, &target.origin, &target.local]
            .into_iter()
            .flatten()
            .any(|url| url.scheme() == "https")
}

/// Asks production as a browser asks it for each declared page: one GET with its `Origin`, and the preflight of the first
/// endpoint that changes something. Whether a page may call is seen by nothing else, so no symptom brings these about.
async fn cross_origin(ctx: &Context, plan: &Plan, target: &Target, survey: &mut Survey) {
    let Some(site) = survey.sites.iter().find(|site| site.vantage == Vantage::Edge) else { return };
    let Some(first) = target.endpoints.iter().filter(|e| e.is_safe()).max_by_key(|e| e.core) else { return };
    if !plan.runs(Probe::Http) {
        return;
    }
    // What another server calls is not called by a page.
    let by_machines = |path: &str| {
        ["hook", "callback", "stripe", "internal"].iter().any(|word| path.to_ascii_lowercase().contains(word))
    };
    let changing = target.endpoints.iter().find(|e| !e.is_safe() && !by_machines(&e.path));
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    for (n, page) in (1..).zip(&target.frontends) {
        let origin = page.origin().ascii_serialization();
        let mut requests = vec![http::TrialRequest {
            name: "cors-get".to_owned(),
            serial: Some(n),
            method: "GET".to_owned(),
            path: first.path.clone(),
            plain: first.path.clone(),
            headers: vec![header("origin", &origin)],
            host: None,
        }];
        requests.extend(changing.map(|endpoint| http::TrialRequest {
            name: "cors-preflight".to_owned(),
            serial: Some(n),
            method: "OPTIONS".to_owned(),
            path: endpoint.path.clone(),
            plain: endpoint.path.clone(),
            headers: vec![
                header("origin", &origin),
                header("access-control-request-method", &endpoint.method),
                header("access-control-request-headers", "content-type"),
            ],
            host: None,
        }));
        for request in &requests {
            let Some(answer) = bounded(ctx, http::trial(ctx, site, request)).await else { return };
            let refused = matches!(&answer.seen, Seen::Http(seen)
                if seen.answer.present().is_some_and(http::refused_by_limiter));
            survey.observations.push(answer);
            if refused {
                return;
            }
        }
    }
}

/// Where production sends its first endpoint to another host, asks the same address for that host: a redirect to the
/// canonical host is as it should be, and one that comes back never ends.
async fn other_host(ctx: &Context, plan: &Plan, survey: &mut Survey) {
    let Some(site) = survey.sites.iter().find(|site| site.vantage == Vantage::Edge) else { return };
    if !plan.runs(Probe::Http) {
        return;
    }
    let away = survey.observations.iter().find_map(|observation| match &observation.seen {
        Seen::Http(seen)
            if observation.vantage == Vantage::Edge
                && matches!(seen.request.purpose, Purpose::Endpoint | Purpose::Redirect) =>
        {
            let to = Url::parse(seen.answer.present()?.redirect_to.as_deref()?).ok()?;
            let host = to.host_str().filter(|host| Some(*host) != site.base.host_str())?;
            let path = to[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
            Some((seen.request.path.clone(), path, host.to_owned()))
        }
        _ => None,
    });
    let Some((plain, path, host)) = away else { return };
    let request = http::TrialRequest {
        name: "other-host".to_owned(),
        serial: None,
        method: "GET".to_owned(),
        path,
        plain,
        headers: Vec::new(),
        host: Some(host),
    };
    survey.observations.extend(bounded(ctx, http::trial(ctx, site, &request)).await);
}

/// Asks for the OpenAPI document where the project's own packages serve it: the local backend at two paths at most, and
/// production once, where the local backend has it. It says which operations that build has.
async fn described(ctx: &Context, plan: &Plan, survey: &mut Survey) {
    let paths = survey.observations.iter().find_map(|observation| match &observation.seen {
        Seen::Project(seen) => {
            seen.answer.present().map(|snapshot| landfall_project::openapi_paths(snapshot))
        }
        _ => None,
    });
    let Some(mut paths) = paths.filter(|paths| !paths.is_empty()) else { return };
    for vantage in [Vantage::Local, Vantage::Edge] {
        let Some(site) = survey.sites.iter().find(|site| site.vantage == vantage && may_ask(plan, vantage))
        else {
            continue;
        };
        // Whoever answered no plain question will not answer this one, and a limiter is not asked for more.
        let of_site = |o: &&Observation| o.vantage == vantage && matches!(&o.seen, Seen::Http(_));
        let answers = survey.observations.iter().filter(of_site).filter_map(|o| match &o.seen {
            Seen::Http(seen) => seen.answer.present(),
            _ => None,
        });
        let (answered, limited) = answers.fold((false, false), |(_, limited), response| {
            (true, limited || http::refused_by_limiter(response))
        });
        let plain = site.endpoints.iter().find(|e| e.is_safe()).map_or("/", |e| e.path.as_str()).to_owned();
        if !answered || limited {
            continue;
        }
        if vantage == Vantage::Edge {
            paths.truncate(1);
        }
        let mut serving = None;
        for path in &paths {
            let request = http::TrialRequest {
                name: "openapi".to_owned(),
                serial: None,
                method: "GET".to_owned(),
                path: path.clone(),
                plain: plain.clone(),
                // Some serve YAML unless they are asked for JSON.
                headers: vec![Header { name: "accept".to_owned(), value: "application/json".to_owned() }],
                host: None,
            };
            let Some(answer) = bounded(ctx, http::trial(ctx, site, &request)).await else { return };
            let is_document = matches!(&answer.seen, Seen::Http(seen)
                if seen.answer.present().is_some_and(|response| response.body.document.is_some()));
            survey.observations.push(answer);
            if is_document {
                serving = Some(path.clone());
                break;
            }
        }
        match (vantage, serving) {
            (Vantage::Local, Some(path)) => paths = vec![path],
            // The local backend serves none; production is not asked for what this build does not have.
            (Vantage::Local, None) => return,
            _ => {}
        }
    }
}

/// The further questions of `landfall http`, which an audit does not put.
async fn look_deeper(ctx: &Context, plan: &Plan, survey: &mut Survey) {
    if !plan.deep || !plan.runs(Probe::Http) {
        return;
    }
    let Some(site) = survey.sites.iter().find(|site| site.vantage == Vantage::Edge) else { return };
    let found = bounded(ctx, http::deep(ctx, site, &survey.observations)).await;
    survey.observations.extend(found.unwrap_or_default());
}

/// Whether the limiter of the local backend believes a forged address: only where a limiter is looked for in depth, and only of
/// a backend on this machine, be it declared as such or named as the target.
async fn ask_forged(ctx: &Context, plan: &Plan, target: &Target, survey: &Survey) -> Vec<Observation> {
    if !plan.discover.is_some_and(|bounds| bounds.deep) || !plan.runs(Probe::RateLimit) {
        return Vec::new();
    }
    let named = survey.sites.iter().find(|site| site.vantage == Vantage::Edge).cloned();
    let Some(site) = local_site(target).or(named) else { return Vec::new() };
    bounded(ctx, rate_limit::forged::ask(ctx, &site)).await.unwrap_or_default()
}

/// The declared local backend, when its host is a loopback address or `localhost`, which is one (RFC 6761 section 6.3).
fn local_site(target: &Target) -> Option<http::Site> {
    let base = target.local.clone()?;
    let ip = match base.host()? {
        url::Host::Ipv4(ip) => IpAddr::V4(ip),
        url::Host::Ipv6(ip) => IpAddr::V6(ip),
        url::Host::Domain("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        url::Host::Domain(_) => return None,
    };
    let at = SocketAddr::new(ip, base.port_or_known_default()?);
    Some(http::Site {
        base,
        vantage: Vantage::Local,
        addresses: vec![at],
        after: None,
        resolve_us: None,
        endpoints: target.endpoints.clone(),
        fault: None,
        depth: http::Depth::Endpoints,
    })
}

/// Makes the deciding observations that the catalogue asks for, round by round, until nothing is left to decide, a limiter
/// refuses, or budget, rounds or time are spent.
async fn decide(
    ctx: &Context,
    plan: &Plan,
    catalogue: &Catalogue,
    survey: &mut Survey,
    assemble: &impl Fn(Vec<Observation>) -> Evidence,
    progress: &Progress,
) {
    // Which questions would decide costs a judgement of all causes. `landfall tls` and `dns` may put none of them.
    if ![Vantage::Edge, Vantage::Origin, Vantage::Local].iter().any(|vantage| may_ask(plan, *vantage)) {
        return;
    }
    for round in 0..ROUNDS {
        let questions = landfall_diagnosis::questions(&assemble(survey.observations.clone()), catalogue);
        let mut left = REQUESTS_A_ROUND;
        let mut asked = false;
        for question in questions.iter().filter(|q| may_ask(plan, q.vantage)) {
            let Some(site) = survey.sites.iter().find(|site| site.vantage == question.vantage) else {
                continue;
            };
            if question.times > left || ctx.is_over() {
                continue;
            }
            left -= question.times;
            if !asked {
                progress.begin(Step::Deciding(round + 1));
            }
            asked = true;
            for serial in 1..=question.times {
                let request = http::TrialRequest {
                    name: question.name.clone(),
                    serial: (question.times > 1).then_some(serial),
                    method: question.method.clone(),
                    path: question.path.clone(),
                    plain: question.plain.clone(),
                    headers: question.headers.clone(),
                    host: question.host.clone(),
                };
                // One at a time: what decides must not be the thing that trips a limiter.
                let Some(answer) = bounded(ctx, http::trial(ctx, site, &request)).await else { break };
                let refused = matches!(&answer.seen, Seen::Http(seen)
                    if seen.answer.present().is_some_and(http::refused_by_limiter));
                survey.observations.push(answer);
                if refused {
                    progress.end(Step::Deciding(round + 1));
                    return;
                }
            }
        }
        if !asked {
            return;
        }
        progress.end(Step::Deciding(round + 1));
    }
}

/// Whether the caller lets that part of the world be asked over HTTP.
fn may_ask(plan: &Plan, vantage: Vantage) -> bool {
    match vantage {
        Vantage::Edge => plan.runs(Probe::Http),
        Vantage::Origin => plan.runs(Probe::Origin),
        Vantage::Local => plan.runs(Probe::Local),
        Vantage::Workspace | Vantage::ThirdParty => false,
    }
}

/// Variables by which programs are told to use a proxy, as curl and most HTTP libraries read them.
const PROXY_VARIABLES: [&str; 7] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "FTP_PROXY"];

/// The names of those that are set on this machine. Their values may hold credentials and are not read further.
fn proxy_variables() -> Vec<String> {
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    PROXY_VARIABLES.iter().filter(is_set).map(|name| (*name).to_owned()).collect()
}

/// Passes each wait on once, however many questions are held back by it.
fn waits(progress: &Progress) -> Waits {
    let progress = progress.clone();
    let told: Mutex<Option<Instant>> = Mutex::default();
    Waits::to(move |wait| {
        let until = Instant::now() + wait;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|before| until > before + Duration::from_secs(1)) {
            *told = Some(until);
            progress.wait(wait);
        }
    })
}

/// What the probes of one plan share.
///
/// # Errors
/// When a root certificate file cannot be read.
pub(crate) fn context(plan: &Plan, started: Instant) -> Result<Context, PlanError> {
    let roots = Roots::load(&plan.ca_files).map_err(|e| PlanError(e.to_string()))?;
    Ok(Context {
        started,
        deadline: started + plan.timeout,
        limits: Arc::new(Limits::default()),
        map: Arc::new(plan.map.clone()),
        resolvers: plan.resolvers.clone().into(),
        roots: Arc::new(roots),
        user_agent: USER_AGENT.into(),
        ledger: Arc::new(Ledger::new(plan.budget)),
        waits: Waits::default(),
        egress: plan.egress.clone(),
        deadline_counts: false,
    })
}

/// Reads something of this machine on a thread of its own, within the deadline; a crash there is a fault of this side.
async fn reading<T: Send + 'static>(
    ctx: &Context,
    what: &str,
    read: impl FnOnce() -> Observed<T> + Send + 'static,
) -> Observed<T> {
    match bounded(ctx, tokio::task::spawn_blocking(read)).await {
        Some(Ok(answer)) => answer,
        Some(Err(crash)) => {
            Observed::Unasked(ProbeFault::Local { detail: format!("reading {what} failed: {crash}") })
        }
        None => Observed::Unasked(ProbeFault::DeadlineSpent),
    }
}

/// What the project folder shows, and the endpoints that it names.
async fn read_project(
    ctx: &Context,
    plan: &Plan,
    progress: &Progress,
    begun: Option<&Begun>,
) -> (Option<Observation>, Vec<Endpoint>) {
    let Some(root) = plan.target.project.clone() else { return (None, Vec::new()) };
    let began = Instant::now();
    let answer: Observed<Box<ProjectSnapshot>> = if plan.runs(Probe::Project) {
        progress.begin(Step::Project);
        let folder = root.clone();
        let answer = reading(ctx, "the folder", move || landfall_project::read(Path::new(&folder))).await;
        progress.end(Step::Project);
        // Before the endpoints are chosen: a route that only the framework knows is one of them.
        answer.map(|mut snapshot| {
            if let Some(begun) = begun {
                snapshot.started = Some(begun.run.clone());
                snapshot.registered = Some(begun.registered.clone());
            }
            snapshot
        })
    } else {
        Observed::Unasked(ProbeFault::Skipped)
    };
    let endpoints =
        answer.present().map(|snapshot| landfall_project::endpoints(snapshot)).unwrap_or_default();
    let observation = Observation {
        id: "project/read".into(),
        vantage: Vantage::Workspace,
        started_us: ctx.offset_us(began),
        took_us: micros(began.elapsed()),
        after: None,
        round_trips: 0,
        attempt: 1,
        by_hand: format!("ls -la {}", shell_word(&root)),
        seen: Seen::Project(ProjectObservation { root, answer }),
    };
    (Some(observation), endpoints)
}

/// What an observation of the folder holds, when it could be read.
fn snapshot_of(project: Option<&Observation>) -> Option<&ProjectSnapshot> {
    match &project?.seen {
        Seen::Project(seen) => seen.answer.present().map(|snapshot| &**snapshot),
        _ => None,
    }
}

/// The log files that the caller named. They are read on threads of their own: a file may lie on a slow disk.
async fn read_logs(ctx: &Context, plan: &Plan, catalogue: &Catalogue) -> Vec<Observation> {
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    let each = plan.logs.iter().map(|file| {
        let base =
            file.file_name().map_or_else(|| file.display().to_string(), |n| n.to_string_lossy().into_owned());
        let count = names.entry(base.clone()).and_modify(|n| *n += 1).or_insert(1);
        let name = if *count == 1 { base } else { format!("{base}#{count}") };
        async move {
            let began = Instant::now();
            let path = file.clone();
            let catalogue = catalogue.clone();
            let read = move || landfall_project::read_log(&path, &|line| catalogue.knows_log_line(line));
            let answer = reading(ctx, "the log", read).await;
            Observation {
                id: format!("log/{name}").into(),
                vantage: Vantage::Workspace,
                started_us: ctx.offset_us(began),
                took_us: micros(began.elapsed()),
                after: None,
                round_trips: 0,
                attempt: 1,
                by_hand: format!("tail -n 100 {}", shell_word(&file.display().to_string())),
                seen: Seen::Log(LogObservation { name, answer }),
            }
        }
    });
    futures_util::future::join_all(each.collect::<Vec<_>>()).await
}

/// The usual paths, when nobody says which endpoints matter. That one of them does not exist is no fault.
fn guessed() -> Vec<Endpoint> {
    let guess = |path: &str| Endpoint {
        method: "GET".into(),
        path: path.into(),
        source: EndpointSource::Guessed,
        core: false,
        expect: Expectation::default(),
    };
    ["/", "/health", "/healthz"].map(guess).into()
}

async fn run_tests(ctx: &Context, plan: &Plan, progress: &Progress) -> Vec<Observation> {
    let Some(root) = &plan.target.project else { return Vec::new() };
    let wrap = |n: usize, began: Instant, took: Duration, seen: TestsObservation| Observation {
        id: match n {
            0 => "tests/run".into(),
            n => format!("tests/run#{}", n + 1).into(),
        },
        vantage: Vantage::Workspace,
        started_us: ctx.offset_us(began),
        took_us: micros(took),
        after: (n > 0).then(|| if n == 1 { "tests/run".into() } else { format!("tests/run#{n}").into() }),
        round_trips: 0,
        attempt: 1,
        by_hand: format!("cd {} && {}", shell_word(root), seen.command),
        seen: Seen::Tests(seen),
    };
    if !plan.runs(Probe::Tests) {
        let command = plan.test_command.clone().unwrap_or_default();
        let seen = TestsObservation {
            command,
            purpose: TestPurpose::AsDeclared,
            answer: Observed::Unasked(ProbeFault::Skipped),
        };
        return vec![wrap(0, Instant::now(), Duration::ZERO, seen)];
    }
    progress.begin(Step::Tests);
    let limit = ctx.within(plan.test_limit);
    let runs = landfall_project::run_tests(Path::new(root), plan.test_command.as_deref(), limit).await;
    progress.end(Step::Tests);
    runs.into_iter().enumerate().map(|(n, run)| wrap(n, run.started, run.took, run.observation)).collect()
}

/// What the first questions to the network brought.
struct Survey {
    observations: Vec<Observation>,
    /// Every vantage that was asked.
    sites: Vec<http::Site>,
    /// Production, with the rate-limit probe's connection.
    edge: Option<(http::Site, rate_limit::Line)>,
}

async fn ask_network(ctx: &Context, plan: &Plan, target: &Target, progress: &Progress) -> Survey {
    let ask = |url: &Option<Url>, vantage: Vantage, probe: Probe, step: Step| {
        let url =
            url.clone().filter(|_| plan.runs(probe) || (vantage == Vantage::Edge && runs_without_http(plan)));
        async move {
            let url = url?;
            progress.begin(step);
            // The three futures are large and stand side by side; on the heap they do not use up a worker's stack.
            let asked = Box::pin(ask_site(ctx, plan, target, &url, vantage)).await;
            progress.end(step);
            Some(asked)
        }
    };
    let (edge, origin, local) = tokio::join!(
        ask(&target.production, Vantage::Edge, Probe::Http, Step::Production),
        ask(&target.origin, Vantage::Origin, Probe::Origin, Step::Origin),
        ask(&target.local, Vantage::Local, Probe::Local, Step::Local),
    );
    let mut survey = Survey { observations: Vec::new(), sites: Vec::new(), edge: None };
    for asked in [edge, origin, local].into_iter().flatten() {
        survey.observations.extend(asked.observations);
        survey.sites.push(asked.site.clone());
        if asked.site.vantage == Vantage::Edge {
            survey.edge = asked.line.map(|line| (asked.site, line));
        }
    }
    survey
}

/// `--only dns` or `--only tls` still resolve and connect to production, without an HTTP request.
fn runs_without_http(plan: &Plan) -> bool {
    plan.runs(Probe::Dns) || plan.runs(Probe::Tls) || plan.discover.is_some()
}

struct Asked {
    observations: Vec<Observation>,
    site: http::Site,
    /// The rate-limit probe's connection, for production.
    line: Option<rate_limit::Line>,
}

async fn ask_site(ctx: &Context, plan: &Plan, target: &Target, base: &Url, vantage: Vantage) -> Asked {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = base.port_or_known_default().unwrap_or(443);
    let surveyed = vantage == Vantage::Edge && plan.runs(Probe::Dns);
    let hints = async { if surveyed { hints(ctx, plan, &host).await } else { dns::Hints::default() } };
    let zone = async {
        if !surveyed {
            return (Vec::new(), dns::Hints::default());
        }
        let registry = async {
            let service = plan.rdap.as_deref()?;
            bounded(ctx, rdap::ask(ctx, service, &host)).await.flatten()
        };
        let around = async {
            let hints = hints.await;
            let seen = bounded(ctx, dns::around(ctx, &host, vantage, &hints)).await;
            (seen.unwrap_or_default(), hints)
        };
        let zone = bounded(ctx, dns::zone(ctx, &host, vantage));
        let (mut seen, registry, (around, hints)) =
            tokio::join!(async { zone.await.unwrap_or_default() }, registry, around);
        seen.extend(registry);
        seen.extend(around);
        (seen, hints)
    };
    let rest = async {
        let found = dns::addresses(ctx, &host, port, vantage).await;
        let addresses: Vec<SocketAddr> = found.sockets(port).into_iter().take(ADDRESSES).collect();
        let whole = vantage == Vantage::Edge && !plan.endpoints_alone;
        let depth = if whole { http::Depth::Full } else { http::Depth::Endpoints };
        let site = http::Site {
            base: base.clone(),
            vantage,
            addresses: addresses.clone(),
            after: found.settled_by.clone(),
            resolve_us: found.settled_by.is_some().then_some(found.took_us),
            endpoints: target.endpoints.clone(),
            fault: found.fault.clone(),
            depth,
        };
        let chains = async {
            if base.scheme() != "https" || !plan.runs(Probe::Tls) {
                return Vec::new();
            }
            let surveyed = plan.deep && vantage == Vantage::Edge;
            let each = addresses.iter().map(|at| {
                let (after, host) = (found.settled_by.clone(), &host);
                async move {
                    let handshake = tls::handshake(ctx, host, *at, vantage, after).await;
                    if !surveyed {
                        return vec![handshake];
                    }
                    let survey = Box::pin(tls::survey(ctx, host, *at, vantage, &handshake)).await;
                    vec![handshake, survey]
                }
            });
            let all = bounded(ctx, futures_util::future::join_all(each)).await.unwrap_or_default();
            all.into_iter().flatten().collect()
        };
        let http_asked = match vantage {
            Vantage::Edge => plan.runs(Probe::Http),
            _ => true,
        };
        let requests = async {
            if http_asked {
                bounded(ctx, http::survey(ctx, &site)).await.unwrap_or_default()
            } else {
                Vec::new()
            }
        };
        let late = async { bounded(ctx, found.late.collect()).await.unwrap_or_default() };
        // Only a connection: the rate-limit probe itself runs last.
        let line = async {
            let wanted = http_asked || plan.discover.is_some();
            if vantage == Vantage::Edge && wanted && plan.runs(Probe::RateLimit) {
                bounded(ctx, rate_limit::connect(ctx, &site)).await
            } else {
                None
            }
        };
        let (chains, requests, late, line) = tokio::join!(chains, requests, late, line);
        let mut observations = found.observations;
        observations.extend(late);
        observations.extend(chains);
        observations.extend(requests);
        if vantage == Vantage::Edge && plan.runs(Probe::Tls) {
            let other_name = target.origin.as_ref().and_then(|url| url.host_str());
            let more = doors::look(ctx, &site, other_name, &observations);
            observations.extend(bounded(ctx, more).await.unwrap_or_default());
            if plan.deep || doors::renewal_is_near(&observations, Timestamp::now()) {
                let more = doors::challenges(ctx, &site, &observations);
                observations.extend(bounded(ctx, more).await.unwrap_or_default());
            }
        }
        (observations, site, line)
    };
    let ((zone, hints), (mut observations, site, line)) = tokio::join!(zone, rest);
    observations.extend(zone);
    if surveyed {
        let asked = bounded(ctx, dns::follow_up(ctx, &host, vantage, &hints, &observations)).await;
        observations.extend(asked.unwrap_or_default());
    }
    Asked { observations, site, line }
}

/// What target and project say of the host's names. The project is read a second time for it, in its own thread: the zone
/// need not wait for the history and the versions that the whole reading takes.
async fn hints(ctx: &Context, plan: &Plan, host: &str) -> dns::Hints {
    let mut hints = dns::Hints {
        expected_servers: plan.expected_ns.clone(),
        near_hosts: Vec::new(),
        hosts_file: plan.hosts_file.clone(),
    };
    let Some(root) = plan.target.project.clone().filter(|_| plan.runs(Probe::Project)) else { return hints };
    let reading = tokio::task::spawn_blocking(move || landfall_project::hosts(Path::new(&root)));
    let Some(Ok(named)) = bounded(ctx, reading).await else { return hints };
    for found in named {
        match found.role {
            HostRole::NameServer if !hints.expected_servers.contains(&found.name) => {
                hints.expected_servers.push(found.name);
            }
            HostRole::Host if landfall_diagnosis::is_near(&found.name, host) => {
                hints.near_hosts.push(found.name)
            }
            _ => {}
        }
    }
    hints
}

async fn ask_rate_limit(
    ctx: &Context,
    plan: &Plan,
    site: Option<(http::Site, rate_limit::Line)>,
    so_far: &[Observation],
    progress: &Progress,
) -> Vec<Observation> {
    let unasked = |url: String, fault: ProbeFault| rate_limit::unasked(ctx, Vantage::Edge, url, fault);
    let Some(url) = plan.target.production.as_ref().map(Url::to_string) else { return Vec::new() };
    if !plan.runs(Probe::RateLimit) {
        return vec![unasked(url, ProbeFault::Skipped)];
    }
    let Some((site, line)) = site else {
        let fault = if plan.runs(Probe::Http) { ProbeFault::DeadlineSpent } else { ProbeFault::Skipped };
        return vec![unasked(url, fault)];
    };
    // It runs last, so it waited for whatever network answer came last.
    let last = so_far
        .iter()
        .filter(|o| matches!(o.seen, Seen::Http(_) | Seen::Dns(_) | Seen::Tls(_) | Seen::TlsSurvey(_)))
        .max_by_key(|o| o.ended_us());
    let after: Option<ObservationId> = last.map(|o| o.id.clone());
    progress.begin(Step::RateLimit);
    let seen = match plan.discover {
        Some(bounds) => {
            let told = |moment| progress.limit(moment);
            bounded(ctx, rate_limit::discover(ctx, &site, line, after, bounds, &told)).await
        }
        None => bounded(ctx, rate_limit::probe(ctx, &site, line, after)).await,
    };
    progress.end(Step::RateLimit);
    seen.unwrap_or_else(|| vec![unasked(url, ProbeFault::DeadlineSpent)])
}

/// Every probe keeps its own deadlines; this is the belt to those braces, so that one which does not can cost its own
/// evidence but never the audit's end.
async fn bounded<F: Future>(ctx: &Context, work: F) -> Option<F::Output> {
    let work: Pin<Box<F>> = Box::pin(work);
    tokio::time::timeout_at((ctx.deadline + GRACE).into(), work).await.ok()
}

/// Orders by time of asking, then id, and makes ids unique: the same question put twice carries `#2`. Links are kept.
pub(crate) fn in_order(mut observations: Vec<Observation>) -> Vec<Observation> {
    observations.sort_by(|a, b| (a.started_us, &a.id).cmp(&(b.started_us, &b.id)));
    let mut taken: BTreeSet<ObservationId> = BTreeSet::new();
    let mut count: BTreeMap<ObservationId, u32> = BTreeMap::new();
    for observation in &mut observations {
        if taken.contains(&observation.id) {
            let n = count.entry(observation.id.clone()).or_insert(1);
            loop {
                *n += 1;
                let id = ObservationId(format!("{}#{n}", observation.id));
                if !taken.contains(&id) {
                    observation.id = id;
                    break;
                }
            }
        }
        taken.insert(observation.id.clone());
    }
    observations
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
