//! Whole runs in virtual time: both variants of the pair update, and what people say to them.

use changeover::domain::ids::NodeId;

use crate::stage::{Stage, story};

/// BG-01, BG-20 to BG-22, BG-30, BG-31, BG-40, BG-41: both variants go through both windows, and the world's truth agrees.
#[tokio::test(start_paused = true)]
async fn bg_30_bg_40_both_variants_go_through_both_windows() {
    for (procedure, primary) in [("in-place", NodeId::A), ("role-swap", NodeId::B)] {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        let records = stage.records(&id);
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", story(&records));
        let truth = stage.site.current().truth();
        assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
        assert_eq!((truth.serving, truth.leads_to), (Some(primary), Some(primary)), "{procedure}");
        for node in [&truth.nodes.a, &truth.nodes.b] {
            assert_eq!((node.version.as_str(), node.updates.len()), ("24.2.1", 1), "{procedure}");
        }
        assert_eq!(truth.sessions.gone, 0, "{procedure}");
        println!("{procedure}: {} records\n{}", records.len(), story(&records));
    }
}
