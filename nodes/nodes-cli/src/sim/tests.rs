//! A failing seed names one command, and that command is the same run.

use clap::Parser as _;
use nodes_sim::{Invariant, Report};

use super::{config_of, read_plan, run_one, show, sweep};
use crate::{
    Arguments, Output, Verb,
    arguments::{Format, Seeds, SimRunOptions, SimVerb},
};

fn options(words: &str) -> SimRunOptions {
    let arguments = Arguments::try_parse_from(words.split(' ')).expect(words);
    match arguments.verb {
        Verb::Sim(SimVerb::Run(options)) => options,
        other => panic!("{words}: {other:?}"),
    }
}

fn run(words: &str) -> Vec<Report> {
    let options = options(words);
    let config = config_of(&options).expect(words);
    let seeds = options.seeds.clone().map_or(options.seed..options.seed + 1, |seeds| seeds.0);
    let seeds: Vec<u64> = seeds.collect();
    sweep(&seeds, &config, &options, &Output::new(Format::Json)).expect(words)
}

/// Finds a planted bug among a hundred seeds, and runs the command that its report prints.
fn check(planted: &str, invariant: Invariant) {
    let found = (1..=100).find_map(|seed| {
        let reports = run(&format!("starling sim run --seed {seed} --plan planted/{planted}"));
        reports.into_iter().find(|report| !report.is_sound())
    });
    let found = found.unwrap_or_else(|| panic!("{planted} is not found by 100 seeds"));
    assert_eq!(found.violations[0].invariant, invariant, "{planted}: {:?}", found.violations);
    assert!(!found.lines.is_empty(), "the last events are shown");
    let again = run(&found.command());
    assert_eq!((again[0].hash, &again[0].violations), (found.hash, &found.violations));
    let text = show::one(&found);
    assert!(text.contains(&format!("{} is violated at ", invariant.name())), "{text}");
    assert!(text.contains(&format!("{:016x}", found.hash)), "{text}");
}

#[test]
fn a_lost_down_is_found_and_replayed_by_the_printed_command() {
    check("lost-down", Invariant::DownOnce);
}

#[test]
fn two_activations_of_one_key_are_found_and_replayed_by_the_printed_command() {
    check("two-activations", Invariant::OneActivation);
}

#[test]
fn a_timer_that_outlives_its_actor_is_found_and_replayed_by_the_printed_command() {
    check("late-timer", Invariant::TimersDie);
}

#[test]
fn the_world_of_actors_is_sound_over_many_seeds_and_reaches_every_fault_point() {
    let reports = run("starling sim run --seeds 1..=20 --plan actors --jobs 2");
    let seeds: Vec<u64> = reports.iter().map(|report| report.seed).collect();
    assert_eq!(seeds, (1..=20).collect::<Vec<_>>());
    for report in &reports {
        assert!(report.is_sound(), "{}: {:#?}", report.command(), report.violations);
    }
    assert_eq!(show::Sum::of(&reports).missed(), [""; 0]);
    let json = show::json(&reports, &show::Sum::of(&reports));
    assert_eq!((&json["failed"], &json["runs"][4]["seed"]), (&0.into(), &5.into()));
}

#[test]
fn a_plan_from_a_file_is_replayed_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.yaml");
    let plan = "world: actors\nfaultsFor: 5s\ndrawn: nothing\nplanted: [late-timer]\n";
    std::fs::write(&path, plan).expect("a folder for files that do not last");
    let name = path.display().to_string();
    let first = run(&format!("starling sim run --seed 4 --plan {name}"));
    assert_eq!(first[0].command(), format!("starling sim run --seed 4 --plan {name}"));
    assert_eq!(run(&first[0].command())[0].hash, first[0].hash);
    std::fs::write(&path, "faults: [{ at: 1s }]").expect("the same folder");
    let refused = read_plan(&name).expect_err("a wrong plan");
    assert_eq!(
        (refused.code, refused.cause),
        (2, format!("plan {name}: faults[0].for: is missing"))
    );
    std::fs::remove_file(&path).expect("it was there");
    let missing = read_plan(&name).expect_err("no plan");
    assert_eq!(missing.next.as_deref(), Some("starling sim plans"));
}

#[test]
fn ranges_of_seeds_are_read_as_they_are_typed() {
    let seeds = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.0);
    assert_eq!((seeds("3..5"), seeds("3..=5")), (Ok(3..5), Ok(3..6)));
    for wrong in ["3", "5..5", "5..3", "a..b", "..4", "0..=18446744073709551615"] {
        assert!(seeds(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_run_of_the_whole_cluster_is_the_same_with_its_last_events_kept() {
    let config = config_of(&options("starling sim run --plan usual")).expect("a plan of ours");
    let mut short = config.clone();
    short.plan.faults_for = std::time::Duration::from_secs(2);
    let report = run_one(5, &short, 10).expect("it runs");
    assert!(report.is_sound() && report.lines.is_empty(), "{:#?}", report.violations);
}
