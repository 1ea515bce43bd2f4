//! Random plans, done to the system and to a model of it, agree.
//!
//! `NATTER_PLANS` says how many, `NATTER_PLAN_SEED` where to begin; `make plans` runs many, from a seed that the time gives.

use std::collections::BTreeMap;
use std::time::Duration;

use natter_tests::plan::Plan;
use natter_tests::{Backend, Platform, on_both_databases};

/// Steps of a plan; some thirty of them make friends.
const LENGTH: usize = 160;
/// How long a failing plan is made shorter.
const SHRINK: Duration = Duration::from_secs(60);

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name}: no number")))
}

on_both_databases! {
    async fn whatever_people_do_system_and_model_agree(backend: Backend) {
        let copies = backend != Backend::Sqlite;
        let mut platform = Platform::distributed(backend).await;
        platform.start("edge2").await;
        if copies {
            for copy in ["user2", "friend2", "group2", "message2"] {
                platform.start(copy).await;
            }
        }
        let edges = [platform.address("tcp").await, platform.address_of("edge2", "tcp").await];
        let first = setting("NATTER_PLAN_SEED", 1);
        for seed in first..first + setting("NATTER_PLANS", if copies { 8 } else { 12 }) {
            let plan = Plan::new(seed, LENGTH);
            if let Err(difference) = plan.run(&edges).await {
                let steps = plan.steps.len();
                let shorter = plan.shrink(&edges, SHRINK).await;
                let again = shorter.run(&edges).await.err();
                panic!(
                    "NATTER_PLAN_SEED={seed} NATTER_PLANS=1: of {steps} steps, {} are enough:\n{}\n{}",
                    shorter.steps.len(),
                    shorter.steps.iter().map(|step| format!("  {step:?}\n")).collect::<String>(),
                    again.unwrap_or_else(|| format!("(it does not fail each time; the first time:)\n{difference}")),
                );
            }
        }
    }
}

/// A plan is worth something only if most of what it does is done, and if everything is done and refused somewhere.
#[test]
fn plans_do_everything_that_can_be_done_and_try_what_cannot() {
    let mut all: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for seed in 0..100 {
        for (method, (taken, refused)) in Plan::new(seed, LENGTH).tally() {
            let sum = all.entry(method).or_default();
            *sum = (sum.0 + taken, sum.1 + refused);
        }
    }
    let taken: usize = all.values().map(|(taken, _)| taken).sum();
    let refused: usize = all.values().map(|(_, refused)| refused).sum();
    assert!(taken > refused && refused * 5 > taken, "{taken} taken, {refused} refused");
    // These can't be refused to anybody.
    let harmless = ["friend.remove", "friend.block", "friend.unblock"];
    for (method, (taken, refused)) in all {
        assert!(taken > 10, "{method} is taken {taken} times");
        assert!(refused > 0 || harmless.contains(&method), "{method} is never refused");
    }
}

#[test]
fn the_same_seed_makes_the_same_plan_and_another_one_another() {
    assert_eq!(Plan::new(7, LENGTH), Plan::new(7, LENGTH));
    assert_ne!(Plan::new(7, LENGTH).steps, Plan::new(8, LENGTH).steps);
}
