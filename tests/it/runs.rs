//! Whole undisturbed runs in virtual time: both variants of the pair update, with interfaces and by hand.

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage};

/// BG-01, BG-20 to BG-22, BG-30, BG-31, BG-40, BG-41: both variants go through both windows, and the world's truth agrees.
#[tokio::test(start_paused = true)]
async fn bg_30_bg_40_both_variants_go_through_both_windows() {
    for procedure in PROCEDURES {
        for setting in [Setting::default(), Setting::by_operator()] {
            let stage = Stage::set(setting);
            let id = stage.start(procedure).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, procedure);
            let gap = stage.truth().longest_gap_ms / 60_000;
            // In place the service is down while its node updates (up to 40 min); else for the moment in which the name moves.
            let most = if procedure == "in-place" { 45 } else { 5 };
            assert!(gap <= most, "{procedure}: {gap} min without service\n{}", stage.story(&id));
        }
    }
}

/// The same runs in other worlds: other users, other durations.
#[tokio::test(start_paused = true)]
async fn other_worlds_end_alike() {
    for seed in 2..12 {
        for procedure in PROCEDURES {
            let stage = Stage::set(Setting { seed, ..Setting::default() });
            let id = stage.start(procedure).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{procedure}, seed {seed}\n{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, &format!("{procedure}, seed {seed}"));
        }
    }
}
