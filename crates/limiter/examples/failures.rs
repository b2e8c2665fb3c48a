//! Prints what went wrong, run by run.
use landfall_limiter::{Budget, measure};
fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |o: u64| arguments.next().and_then(|a| a.parse().ok()).unwrap_or(o);
    let (runs, seed, verbose) = (number(60), number(1), number(0));
    let tally = measure::measure(Budget::DEEP, runs, seed);
    println!("{tally}");
    for o in &tally.outcomes {
        let t = &o.truth;
        if t.others > 0.0 {
            continue;
        }
        let limit = o.fit.limit.map(|l| l.likely.round()).unwrap_or(0.0);
        let period = match o.fit.best().0 {
            landfall_evidence::LimiterClass::Penalty => o.fit.penalty,
            landfall_evidence::LimiterClass::LeakyBucket => o.fit.place,
            _ => o.fit.period,
        }
        .unwrap();
        let ok = o.fit.best().0 == t.class
            && (limit == f64::from(t.total()) || t.class == landfall_evidence::LimiterClass::LeakyBucket)
            && (period.likely / t.visible_period() - 1.0).abs() < 0.05;
        if ok {
            continue;
        }
        println!(
            "TRUE {:?} L={} S={:.2} P={:.2} clock={} ref={} down={} k={} tells={} rtt={:.3}",
            t.class,
            t.total(),
            t.period,
            t.penalty,
            t.by_clock,
            t.counts_refused,
            t.rounds_down,
            t.counters,
            t.tells,
            t.round_trip
        );
        println!(
            "  SAID {} L={limit} S={:.2} [{:.2},{:.2}] others {:.2} | {:?} {} req {} ref {:.0}s",
            o.fit.weights.iter().take(3).map(|(c, w)| format!("{c:?} {w:.3}")).collect::<Vec<_>>().join(", "),
            period.likely,
            period.low,
            period.high,
            o.fit.others,
            o.stop,
            o.requests,
            o.refusals,
            o.seconds
        );
        if verbose > 0 {
            let b = o.exchanges[0].sent;
            let s: Vec<String> = o
                .exchanges
                .iter()
                .map(|e| {
                    format!(
                        "{:.1}{}{}",
                        e.sent - b,
                        if e.refused { "x" } else { "" },
                        e.retry_after.map_or(String::new(), |r| format!("({r})"))
                    )
                })
                .collect();
            println!("  {}", s.join(" "));
        }
    }
}
