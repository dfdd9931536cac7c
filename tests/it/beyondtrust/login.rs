//! The login at the pages: a password leaves in the body of a form, or not at all.

use changeover::domain::labels::Labels;
use changeover::drivers::appliance::beyondtrust::console::{Account, Settings as Console};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct};

use super::server::{FakeBox, Reply};
use super::{Settings, intent, settings, with};

const PASSWORD: &str = "a-password-of-nobody";

/// A login page whose form, fields and button are as told.
fn page(form: &str, user: &str, password: &str) -> Reply {
    let html = format!(
        "<!DOCTYPE html><title>Login</title><form action=\"/login\"{form}><label>Username <input{user}></label>\
         <label>Password <input type=password{password}></label><button>Login</button></form>"
    );
    Reply::Http(200, "text/html; charset=UTF-8", html.into_bytes())
}

#[tokio::test]
async fn bg_11_no_password_goes_into_a_url_or_nowhere() {
    const POST: &str = " method=post";
    for (form, user, password, says) in [
        ("", " name=u", " name=p", "into the URL"),
        (" method=get", " name=u", " name=p", "into the URL"),
        (" method=dialog", " name=u", " name=p", "into the URL"),
        (POST, "", " name=p", "does not send"),
        (POST, " name=u", " name=\"\"", "does not send"),
    ] {
        let server = FakeBox::start().await;
        server.answer("/login", page(form, user, password));
        let account = Account::new("admin".to_owned(), PASSWORD.into());
        let folder = tempfile::tempdir().unwrap();
        let console =
            Console { login: account.clone(), appliance: account, labels: Labels::default(), traces: folder.path().to_owned() };
        let driver = with(Settings { console: Some(console), ..settings(&server) });
        // Nothing was tried, so that the next act goes there again.
        for _ in 0..2 {
            let answer = driver.act(&intent("window-1.break_failover.a"), &NodeAct::BreakFailover).await;
            let told = matches!(&answer, ActAnswer::ByOperator { instructions } if instructions.last().unwrap().contains(says));
            assert!(told, "{form}{user}{password}: {answer:?}");
        }
        assert_eq!(server.count("/login"), 2, "{form}{user}{password}");
        assert_eq!(server.count(PASSWORD), 0, "{form}{user}{password}");
    }
}
