//! What a page is read as: as a person sees it, in bounded time, and never with a panic.

use proptest::prelude::*;

use super::*;

fn page(html: &str) -> Page {
    Page::parse("https://a.example.com/login".parse().unwrap(), html)
}

const FORM: &str = r#"<!DOCTYPE html><title>A &amp; B</title><script>document.write("<input name=evil>")</script>
        <form action="/x" method=POST enctype="multipart/form-data"><input type=hidden name=token value="a&quot;b">
        <label for=u>User&nbsp;name:</label> <input id=u name="login[username]" value=old>
        <label>Pass<b>word</b> * <input type=password name=p></label>
        <input type=checkbox name=keep checked><input type=checkbox name=other>
        <select name=port><option value=1>one<option selected>443</select><select name=first><option>x<option>y</select>
        <textarea name=note>some
        words</textarea><input disabled name=never value=1><input type=file name=package aria-label="Update File">
        <button name=go value=sync><span>Sync</span> Now</button><input type=submit name=go value="Break  It">
        <button type=button>Script only</button><button hidden>Unseen</button></form><button>Nowhere</button>
        <a href="/next?a=1&amp;b=2">Fail<i>over</i></a> done"#;

#[test]
fn bg_11_a_form_is_read_as_a_person_sees_it() {
    let page = page(FORM);
    assert_eq!(page.title, "A & B");
    let one = |words: &[&str]| match page.named(words, |kind| kind != Kind::Hidden).as_slice() {
        [control] => (*control).clone(),
        found => panic!("{words:?}: {found:?}"),
    };
    assert_eq!(one(&["user name"]).name.as_deref(), Some("login[username]"));
    assert_eq!((one(&["PASSWORD"]).kind, one(&["Update File"]).kind), (Kind::Password, Kind::File));
    let sync = one(&["Sync Now"]);
    let [target] = page.named(&["Sync Now"], |kind| kind == Kind::Button)[..] else { panic!("{sync:?}") };
    let sent = page.sent_by(target);
    let expected = [
        ("token", "a\"b"),
        ("login[username]", "old"),
        ("p", ""),
        ("keep", "on"),
        ("port", "443"),
        ("first", "x"),
        ("note", "some\n        words"),
        ("go", "sync"),
    ];
    assert_eq!(sent, expected);
    assert_eq!(one(&["break it"]).value, "Break  It");
    assert_eq!(one(&["Nowhere"]).form, None);
    assert!(page.named(&["Script only", "Unseen"], |_| true).is_empty());
    assert_eq!(page.links(&["failover"])[0].target, "/next?a=1&b=2");
    assert!(page.says(&["DONE"]) && !page.says(&["evil", "words"]), "{}", page.text);
    assert!(page.forms[0].post && page.forms[0].multipart);
}

#[test]
fn controls_outside_their_form_belong_to_it() {
    let page = page("<form id=f action=/y><input name=a value=1></form><button form=f name=b>Go</button>");
    let button = page.named(&["Go"], |kind| kind == Kind::Button)[0];
    assert_eq!((button.form, page.sent_by(button)), (Some(0), vec![("a", "1"), ("b", "")]));
}

/// As a browser has it: one within another of its kind ends it, and nobody reads a word twice.
#[test]
fn a_text_counts_once_for_each_kind_that_encloses_it() {
    let page = page(
        "<a href=1>one<a href=2>two<a>three</a><form><label for=x>A<label for=y>B<input id=x><input id=y></label>\
                     <button>Go<button>Stop</form><button>Far<input>Away",
    );
    let words = |at: usize| page.controls[at].words.join("|");
    assert_eq!(page.links.iter().map(|link| link.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!([words(0), words(1), words(2), words(3), words(4)], ["A", "B", "Go", "Stop", "FarAway"]);
}

/// 4 MiB of any one thing is read in little time, into little more than itself.
#[test]
fn an_odd_page_is_read_in_bounded_time_and_memory() {
    for piece in [
        "<a href=x>y",
        "<label>y",
        "<label for=x>y<input id=x>",
        "<button>y",
        "<form>y",
        "<option>y",
        "<select><option>y",
        "<input>y",
        "<textarea>y</textarea>",
        "<form id=f></form><input form=f>",
        "<b>y",
        "y ",
        "<li>y",
        "<ul><li>y",
    ] {
        let begun = std::time::Instant::now();
        let page = page(&format!("<button>{}", piece.repeat((4 << 20) / piece.len())));
        let words: usize = page.controls.iter().flat_map(|control| &control.words).map(String::len).sum();
        let links: usize = page.links.iter().map(|link| link.text.len()).sum();
        assert!(words + links <= 8 << 20, "{piece}: {words} and {links} bytes");
        let much = [page.controls.len(), page.links.len(), page.forms.len()].into_iter().any(|count| count > MOST);
        assert!(page.crowded || !much, "{piece}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{piece} took {:?}", begun.elapsed());
    }
    assert!(page(&"<input>".repeat(MOST + 1)).crowded && !page(&"<input>".repeat(MOST)).crowded);
}

#[test]
fn r5_a_file_is_named_by_its_whole_name() {
    for (text, named) in [
        ("base.nss", true),
        ("File: base.nss (6 bytes)", true),
        ("the package base.nss.", true),
        ("rs-base.nss and then /tmp/base.nss", true),
        ("&ldquo;base.nss&rdquo;", true),
        ("rs-base.nss", false),
        ("rs_base.nss", false),
        ("old.base.nss", false),
        ("base.nss2", false),
        ("base.nss-1", false),
        ("base.nss.old", false),
        ("base .nss", false),
        ("übase.nss", false),
        ("", false),
    ] {
        assert_eq!(page(text).says_whole("base.nss"), named, "{text}");
    }
    assert!(page("my  base.nss").says_whole("my base.nss") && !page("x").says_whole(""));
}

proptest! {
    #[test]
    fn no_page_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..800), at in any::<prop::sample::Index>()) {
        page(&String::from_utf8_lossy(&bytes));
        let mut spoiled = FORM.as_bytes().to_vec();
        let at = at.index(spoiled.len());
        spoiled.splice(at.., bytes);
        page(&String::from_utf8_lossy(&spoiled));
    }

    #[test]
    fn no_jumble_of_tags_causes_a_panic(order in proptest::collection::vec(0..TAGS.len(), 0..60)) {
        page(&order.into_iter().map(|tag| TAGS[tag]).collect::<String>());
    }
}

const TAGS: [&str; 22] = [
    "<form>",
    "</form>",
    "<label>",
    "<label for=x>",
    "</label>",
    "<input id=x>",
    "<input type=submit form=q>",
    "<button>",
    "</button>",
    "<select>",
    "</select>",
    "<option>",
    "<option selected>",
    "</option>",
    "<textarea>",
    "</textarea>",
    "<a href=x>",
    "</a>",
    "words",
    "<script>",
    "</script>",
    "<title>",
];

#[test]
fn rows_hold_what_stands_in_them_and_in_no_row_further_in() {
    let html = "<form><button>Out</button><table><tr><th>Name<tr><td>A 1.2<td><button>Install</button></tr>\
                <tr><td>B<ul><li>C 3.4<li>D</ul>E</td></tr></table>F</form>";
    let page = page(html);
    let rows: Vec<(&str, Vec<&str>)> = page
        .rows
        .iter()
        .map(|row| (row.text.as_str(), row.controls.iter().map(|at| page.controls[*at].words.last().unwrap().as_str()).collect()))
        .collect();
    let none = Vec::new;
    assert_eq!(rows, [("Name", none()), ("A 1.2", vec!["Install"]), ("B E", none()), ("C 3.4", none()), ("D", none())]);
}
