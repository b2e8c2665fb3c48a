//! The scheduler: one leader, each tick once, no job green without having run.

use std::sync::atomic::AtomicUsize;

use landfall_store::testkit::TestDb;

use super::*;
use crate::clock::ManualClock;

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_100 + second).expect("a moment")
}

fn context(store: &Store, clock: &ManualClock) -> Context {
    Context {
        store: store.clone(),
        clock: Arc::new(clock.clone()),
        bus: Bus::default(),
        settings: Arc::default(),
        dunning: None,
    }
}

fn counting(count: &Arc<AtomicUsize>) -> Job {
    let count = Arc::clone(count);
    Job::new("count", "counts", Schedule::seconds(60), Duration::from_secs(5), move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Done::on(1u64, format!("run {n}"))) }
    })
}

fn failing(name: &'static str, how: fn() -> Result<Done, String>) -> Job {
    Job::new(name, "fails", Schedule::seconds(60), Duration::from_secs(5), move |_| async move { how() })
}

fn of<'a>(list: &'a [JobStatus], name: &str) -> &'a JobStatus {
    list.iter().find(|j| j.name == name).expect("listed")
}

#[tokio::test]
async fn a_job_is_green_only_after_a_good_run_that_is_not_too_old() {
    for db in TestDb::both().await {
        let clock = ManualClock::at(t(0));
        let count = Arc::new(AtomicUsize::new(0));
        let jobs = Jobs::new(context(&db.store, &clock), vec![counting(&count)]);
        assert_eq!(of(&jobs.list(t(0)).await.expect("list"), "count").status, "never-run");
        assert_eq!(jobs.tick(t(0)).await.expect("tick"), 1);
        let list = jobs.list(t(1)).await.expect("list");
        let job = of(&list, "count");
        assert_eq!((job.status, job.say.as_deref(), job.worked_on), ("ok", Some("run 1"), Some(1)));
        assert_eq!((job.last_run, job.last_success, job.next_run), (Some(t(0)), Some(t(0)), Some(t(60))));
        assert_eq!(jobs.tick(t(1)).await.expect("tick"), 0, "not due");
        // Nobody ticks any more: what was green does not stay so.
        assert_eq!(of(&jobs.list(t(3600)).await.expect("list"), "count").status, "overdue");
        clock.set(t(3600));
        assert_eq!(jobs.tick(t(3600)).await.expect("tick"), 1, "what was missed runs once");
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert_eq!(of(&jobs.list(t(3600)).await.expect("list"), "count").status, "ok");
    }
}

#[tokio::test]
async fn a_failure_a_panic_and_a_hang_are_failures_of_that_job_alone() {
    for db in TestDb::both().await {
        let clock = ManualClock::at(t(0));
        let count = Arc::new(AtomicUsize::new(0));
        let hang = Job::new("hang", "hangs", Schedule::seconds(60), Duration::from_millis(50), |_| async {
            std::future::pending::<()>().await;
            Ok(Done::on(0u64, "never"))
        });
        let all = vec![
            failing("fail", || Err("the reason".into())),
            failing("panic", || panic!("in the job")),
            hang,
            failing("off", || Ok(Done::Off("no tool here".into()))),
            counting(&count).off_because(None::<String>),
            failing("disabled", || Ok(Done::on(1u64, "x"))).off_because(Some("not wanted")),
        ];
        let jobs = Jobs::new(context(&db.store, &clock), all);
        assert_eq!(jobs.tick(t(0)).await.expect("tick"), 5);
        let list = jobs.list(t(1)).await.expect("list");
        let seen: Vec<_> = list.iter().map(|j| (j.name.as_str(), j.status)).collect();
        assert_eq!(
            seen,
            [
                ("fail", "failed"),
                ("panic", "failed"),
                ("hang", "failed"),
                ("off", "off"),
                ("count", "ok"),
                ("disabled", "off")
            ]
        );
        assert_eq!(of(&list, "fail").say.as_deref(), Some("the reason"));
        assert!(of(&list, "hang").say.as_ref().is_some_and(|s| s.contains("did not end")));
        assert_eq!(of(&list, "off").say.as_deref(), Some("no tool here"));
        assert_eq!(of(&list, "disabled").say.as_deref(), Some("not wanted"));
        assert!(list.iter().filter(|j| j.status != "ok").all(|j| j.last_success.is_none()));
        // Who does not know the settings reads from the database that a job is off, and why.
        let plain = vec![failing("disabled", || Ok(Done::on(1u64, "x")))];
        let elsewhere = super::list(&db.store, &plain, t(1)).await.expect("list");
        assert_eq!((elsewhere[0].status, elsewhere[0].say.as_deref()), ("off", Some("not wanted")));
        // One that was good and then fails is not green by its past.
        let runs = stored::runs(&db.store, "panic", 10).await.expect("runs");
        assert_eq!((runs.len(), runs[0].outcome.as_str()), (1, "failed"));
    }
}

#[tokio::test]
async fn two_servers_on_one_database_run_each_tick_once_and_the_second_takes_over() {
    for db in TestDb::both().await {
        let clock = ManualClock::at(t(0));
        let count = Arc::new(AtomicUsize::new(0));
        let a = Jobs::new(context(&db.store, &clock), vec![counting(&count)]);
        let b = Jobs::new(context(&db.store, &clock), vec![counting(&count)]);
        let mut by_a = 0;
        for minute in 0..5 {
            clock.set(t(minute * 60));
            let (x, y) = tokio::join!(a.tick(t(minute * 60)), b.tick(t(minute * 60)));
            let (x, y) = (x.expect("tick"), y.expect("tick"));
            assert_eq!(x + y, 1, "minute {minute} on {}", db.store.kind());
            by_a += x;
        }
        assert_eq!(count.load(Ordering::SeqCst), 5);
        // Whoever led is gone; the other one takes over when the lease has run out.
        let (dead, alive) = if by_a > 0 { (a, b) } else { (b, a) };
        drop(dead);
        clock.set(t(400));
        assert_eq!(alive.tick(t(400)).await.expect("tick"), 1);
        let runs = stored::runs(&db.store, "count", 20).await.expect("runs");
        let mut ticks: Vec<_> = runs.iter().map(|r| r.scheduled).collect();
        ticks.dedup();
        assert_eq!(ticks.len(), 6, "no tick twice");
    }
}

#[tokio::test]
async fn a_run_of_a_server_that_died_is_closed_as_failed_and_done_again() {
    for db in TestDb::both().await {
        let clock = ManualClock::at(t(0));
        let count = Arc::new(AtomicUsize::new(0));
        stored::ensure(&db.store, "count", t(0), t(0)).await.expect("known");
        let run = stored::claim(&db.store, "count", t(0), t(20), "dead", t(0), Timestamp::MIN)
            .await
            .expect("claim");
        let run = run.expect("claimed");
        assert_eq!(
            stored::claim(&db.store, "count", t(0), t(20), "b", t(0), Timestamp::MIN).await.expect("claim"),
            None
        );
        let jobs = Jobs::new(context(&db.store, &clock), vec![counting(&count)]);
        clock.set(t(25));
        assert_eq!(jobs.tick(t(25)).await.expect("tick"), 0, "it may still be at work");
        clock.set(t(90));
        assert_eq!(jobs.tick(t(90)).await.expect("tick"), 1);
        let runs = stored::runs(&db.store, "count", 10).await.expect("runs");
        let outcomes: Vec<_> = runs.iter().map(|r| r.outcome.as_str()).collect();
        assert_eq!(outcomes, ["ok", "failed"]);
        // It was not dead after all: what it says now counts for nothing.
        let late = Ended { outcome: "ok", say: "late".into(), worked_on: 9 };
        assert!(!stored::finish(&db.store, "count", run, t(0), t(95), &late).await.expect("finish"));
        assert_eq!(of(&jobs.list(t(95)).await.expect("list"), "count").say.as_deref(), Some("run 1"));
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_job_beyond_its_schedule() {
    let db = TestDb::sqlite().await;
    let clock = ManualClock::at(t(86_400));
    let count = Arc::new(AtomicUsize::new(0));
    let jobs = Jobs::new(context(&db.store, &clock), vec![counting(&count)]);
    jobs.tick(t(86_400)).await.expect("tick");
    clock.set(t(0));
    leases::release(&db.store, "jobs", &jobs.owner).await.expect("released");
    jobs.tick(t(0)).await.expect("tick");
    clock.set(t(61));
    assert_eq!(jobs.tick(t(61)).await.expect("tick"), 1);
}

#[tokio::test]
async fn the_loop_runs_what_comes_due_and_stops_when_told() {
    let db = TestDb::sqlite().await;
    let clock = ManualClock::at(t(0));
    let count = Arc::new(AtomicUsize::new(0));
    let jobs = Arc::new(Jobs::new(context(&db.store, &clock), vec![counting(&count)]));
    let stop = CancellationToken::new();
    let looping = tokio::spawn({
        let (jobs, stop) = (Arc::clone(&jobs), stop.clone());
        async move { jobs.run(stop).await }
    });
    for minute in 0..3 {
        clock.set(t(minute * 60));
        while count.load(Ordering::SeqCst) <= usize::try_from(minute).expect("small") {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_millis(10));
        }
    }
    stop.cancel();
    looping.await.expect("it ends");
    assert_eq!(leases::held(&db.store, "jobs").await.expect("leases").len(), 0, "the lease is given up");
}

#[test]
fn schedules_say_when_and_how_they_are_called() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
    let daily = Schedule::utc(Every::Day, 2, 30);
    assert_eq!(daily.next(at("2026-11-25T02:30:00Z")), at("2026-11-26T02:30:00Z"));
    assert_eq!(daily.to_string(), "daily 02:30 UTC");
    let monthly = Schedule::utc(Every::Month, 7, 10);
    assert_eq!(monthly.next(at("2026-11-25T00:00:00Z")), at("2026-12-01T07:10:00Z"));
    assert_eq!(monthly.to_string(), "monthly on the 1st 07:10 UTC");
    let weekly = Schedule::utc(Every::Week(jiff::civil::Weekday::Monday), 7, 5);
    assert_eq!(weekly.next(at("2026-11-25T00:00:00Z")), at("2026-11-30T07:05:00Z"));
    assert_eq!(Schedule::seconds(900).next(at("2026-11-25T00:15:00Z")), at("2026-11-25T00:30:00Z"));
    assert_eq!(Schedule::seconds(900).to_string(), "every 15 min");
    let all = registry(&JobSettings::default(), false);
    assert!(all.len() >= 20, "{}", all.len());
    let mut names: Vec<_> = all.iter().map(|j| j.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "no name twice");
}
