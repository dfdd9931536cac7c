//! Good files with slips of the pen: refused or read, never with a panic, and no secret comes into a message.

use proptest::prelude::*;

use super::{BEYONDTRUST, MAIN, SITE, changed, load_files};

#[derive(Clone, Debug)]
enum Slip {
    Delete(usize),
    Insert(usize, char),
    DropLine(usize),
    DoubleLine(usize),
    SwapLines(usize),
    Cut(usize),
}

fn slips() -> impl Strategy<Value = Vec<Slip>> {
    let place = 0..4096_usize;
    let one = prop_oneof![
        place.clone().prop_map(Slip::Delete),
        (
            place.clone(),
            prop_oneof![Just('"'), Just('['), Just('{'), Just('='), Just('\n'), Just('.'), Just('\''), Just('\\'), any::<char>()]
        )
            .prop_map(|(at, c)| Slip::Insert(at, c)),
        place.clone().prop_map(Slip::DropLine),
        place.clone().prop_map(Slip::DoubleLine),
        place.clone().prop_map(Slip::SwapLines),
        place.prop_map(Slip::Cut),
    ];
    prop::collection::vec(one, 1..4)
}

fn slipped(text: &str, slips: &[Slip]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for slip in slips {
        let mut lines: Vec<String> = chars.iter().collect::<String>().split('\n').map(str::to_owned).collect();
        let (letters, rows) = (chars.len().max(1), lines.len());
        match *slip {
            Slip::Delete(at) if !chars.is_empty() => drop(chars.remove(at % letters)),
            Slip::Insert(at, c) => chars.insert(at % letters.min(chars.len() + 1), c),
            Slip::Cut(at) => chars.truncate(at % letters),
            Slip::DropLine(at) => drop(lines.remove(at % rows)),
            Slip::DoubleLine(at) => lines.insert(at % rows, lines[at % rows].clone()),
            Slip::SwapLines(at) => lines.swap(at % rows, (at * 7 + 1) % rows),
            Slip::Delete(_) => {}
        }
        if matches!(slip, Slip::DropLine(_) | Slip::DoubleLine(_) | Slip::SwapLines(_)) {
            chars = lines.join("\n").chars().collect();
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_slip_panics_or_shows_a_secret(main in slips(), site in slips(), vienna in slips()) {
        let secret = "client_secret = \"hunter2\"\nclient_secret_file = \"/hunter-file\"\n";
        let vienna = slipped(&changed(BEYONDTRUST, "client_secret_file = \"/secrets/vienna.secret\"\n", secret), &vienna);
        let (main, site) = (slipped(MAIN, &main), slipped(SITE, &site));
        let files = [("changeover.toml", main.as_str()), ("sites.d/support.toml", &site), ("sites.d/vienna.toml", &vienna)];
        if let Err(found) = load_files(&files) {
            prop_assert!(!found.contains("hunter2"), "{found}\nin\n{vienna}");
            prop_assert!(!found.is_empty());
        }
    }
}
