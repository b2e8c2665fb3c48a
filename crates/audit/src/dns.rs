//! The deep survey of a zone, for `landfall dns`: an audit's questions to DNS, and many more.

use std::time::Instant;

use landfall_diagnosis::Catalogue;
use landfall_evidence::{Evidence, Vantage};
use landfall_probe::dns;
use std::net::SocketAddr;

use crate::plan::{Plan, PlanError};
use crate::progress::Progress;
use crate::run::{collect, context, in_order};

/// Resolvers that anybody may ask: Cloudflare, Google and Quad9, all three of which validate (their own documentation).
pub const PUBLIC_RESOLVERS: [SocketAddr; 3] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(1, 1, 1, 1)), 53),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8)), 53),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(9, 9, 9, 9)), 53),
];

/// The plan with public resolvers beside those that it has, or beside this machine's.
///
/// # Errors
/// When the plan cannot be started at all.
pub fn with_public_resolvers(mut plan: Plan) -> Result<Plan, PlanError> {
    plan.resolvers = dns::resolvers(&context(&plan, Instant::now())?);
    let more = PUBLIC_RESOLVERS.into_iter().filter(|at| !plan.resolvers.contains(at)).collect::<Vec<_>>();
    plan.resolvers.extend(more);
    Ok(plan)
}

/// Collects what a plan asks of DNS, and surveys the zone of production as deep as [`dns::survey`] goes, at the same time.
///
/// # Errors
/// When the plan cannot be started at all.
pub async fn survey_dns(
    plan: &Plan,
    catalogue: &Catalogue,
    progress: &Progress,
    depth: dns::Depth,
) -> Result<Evidence, PlanError> {
    let ctx = context(plan, Instant::now())?;
    let host = plan.target.production.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    // The survey's clock and the audit's begin within microseconds of each other.
    let (evidence, deep) =
        tokio::join!(collect(plan, catalogue, progress), dns::survey(&ctx, host, Vantage::Edge, depth));
    let mut evidence = evidence?;
    evidence.observations.extend(deep);
    evidence.observations = in_order(std::mem::take(&mut evidence.observations));
    evidence.took_us = evidence.took_us.max(ctx.offset_us(Instant::now()));
    evidence.redact();
    Ok(evidence)
}
