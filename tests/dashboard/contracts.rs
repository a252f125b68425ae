//! The pages of the contracts: what would go out is what does go out.

use hookwheel::dialect::{Dialects, Received};
use hookwheel::domain::secret::Secret;

use crate::here::Here;

const CONTRACTS: &str = "/dashboard/@default/contracts";

/// Text out of a page.
fn plain(html: &str) -> String {
    html.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn each_contract_is_listed_and_one_shows_what_it_promises() {
    // All are served.
    let here = Here::start_with(hookwheel::config::Config::for_development);
    let mut browser = here.first();
    let list = browser.get(CONTRACTS);
    for dialect in Dialects::shipped().iter() {
        assert!(list.text.contains(&format!("{CONTRACTS}/{}\"", dialect.name)), "{}: {}", dialect.name, list.text);
    }
    for dialect in Dialects::shipped().iter() {
        let one = browser.get(&format!("{CONTRACTS}/{}", dialect.name));
        assert!(one.status == 200 && one.text.contains(&format!("/docs/webhooks/{}", dialect.name)), "{}", one.text);
        assert!(dialect.catalogue.iter().all(|known| one.text.contains(&known.name)), "{}", dialect.name);
        assert!(one.text.contains("POST https://your-app.example/webhooks"), "{}: {}", dialect.name, one.text);
    }
    assert_eq!(browser.get(&format!("{CONTRACTS}/none")).status, 404);
    here.stop();
}

#[test]
fn what_is_typed_is_shown_as_it_would_go_out_signed_by_a_secret_that_is_shown() {
    let here = Here::start();
    let mut browser = here.first();
    let at = format!("{CONTRACTS}/standard");
    let data = "{\"amount\": 1.50, \"text\": \"<b>\"}";
    let page = browser.submit(&at, &at, &[("type", "order.paid"), ("data", data)]);
    assert!(page.status == 200 && !page.text.contains("<b>"), "{}", page.text);
    let shown =
        plain(page.between("<pre class=\"raw\" tabindex=\"0\">POST https://your-app.example/webhooks\n", "</pre>"));
    let (headers, body) = shown.split_once("\n\n").expect("headers and a body");
    assert!(body.contains("1.50") && body.contains("order.paid"), "{body}");
    let header = |name: &str| {
        let found = headers.lines().filter_map(|line| line.split_once(": "));
        found.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let secret = plain(page.between("Signed with <span class=\"copied\"><code>", "</code>"));
    let dialects = Dialects::shipped();
    let received = Received { header: &header, url: None, body: body.as_bytes() };
    let at_once = header("webhook-timestamp").expect("a time").parse::<u64>().expect("seconds") * 1000;
    let verified =
        dialects.get("standard").expect("it is shipped").verify(received, &[Secret::new(secret)], at_once, None);
    verified.expect("the signature is right");
    for (kind, data, said) in [("a b", "1", "type"), ("a", "{", "cannot be taken"), ("a", "", "cannot be taken")] {
        let wrong = browser.submit(&at, &at, &[("type", kind), ("data", data)]);
        assert!(wrong.status == 400 && wrong.text.to_lowercase().contains(said), "{kind} {data}: {}", wrong.text);
    }
    here.stop();
}
