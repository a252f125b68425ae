//! What lets an operation be tried on its page: in a session of the dashboard, or with a key that the page keeps in memory. What
//! stays true: without scripts nothing here can be sent, so no key ever gets into an address.

use super::escape::escape;
use crate::docs::block::Trial;

/// The pages of the dashboard on which operations are tried.
const IN_A_SESSION: &str = "/dashboard/try";

/// The section.
pub(super) fn html(trial: &Trial, has_dashboard: bool) -> String {
    let Trial { operation, method, path, parameters, body } = trial;
    let [operation, method, path] = [operation, method, path].map(|text| escape(text));
    let session = match has_dashboard {
        true => format!(
            "Logged in to the dashboard, <a href=\"{IN_A_SESSION}/{operation}\">call it with your session</a>: it does what your \
             role may. Or call"
        ),
        false => "Call".to_owned(),
    };
    let mut out = format!(
        "<section class=\"trial\" aria-labelledby=\"try-it\">\n\
         <h2 id=\"try-it\">Try it <a class=\"anchor\" href=\"#try-it\" aria-label=\"Link to “Try it”\">#</a></h2>\n\
         <p>{session} it from here, with a key that this page forgets when you leave it; that needs scripts.</p>\n\
         <div class=\"call\" data-method=\"{method}\" data-path=\"{path}\" hidden>\n"
    );
    for parameter in parameters {
        let name = escape(&parameter.name);
        let (place, word) = if parameter.is_in_path { ("path", "in the path") } else { ("query", "in the query") };
        out.push_str(&format!(
            "<p><label for=\"try-{place}-{name}\"><code>{name}</code>, {word}</label> <input id=\"try-{place}-{name}\" \
             data-{place}=\"{name}\" autocomplete=\"off\" spellcheck=\"false\"></p>\n"
        ));
    }
    if let Some(body) = body {
        let rows = body.lines().count().clamp(3, 16);
        out.push_str(&format!(
            "<p><label for=\"try-body\">Body, as JSON</label> <textarea id=\"try-body\" data-body rows=\"{rows}\" \
             spellcheck=\"false\">{}</textarea></p>\n",
            escape(body)
        ));
    }
    out.push_str(
        "<p><label for=\"try-key\">Key</label> <input id=\"try-key\" data-key type=\"password\" autocomplete=\"off\"></p>\n\
         <p><button type=\"button\">Call</button> <output role=\"status\"></output></p>\n\
         <pre tabindex=\"0\" class=\"answer\" hidden></pre>\n</div>\n</section>\n",
    );
    out
}
