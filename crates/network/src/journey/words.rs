//! Every text that a shopper reads, one row per text and one column per language. `{name}` marks what [`fill`] puts in.
//!
//! A further language is a further column, and an arm in [`super::language::Language`].

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident: $en:literal, $de:literal;)+) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub struct Words { $($(#[$meta])* pub $name: &'static str),+ }

        pub static ENGLISH: Words = Words { $($name: $en),+ };
        pub static GERMAN: Words = Words { $($name: $de),+ };

        #[cfg(test)]
        const ROWS: &[(&str, [&str; 2])] = &[$((stringify!($name), [$en, $de])),+];
    };
}

words! {
    // Frame.
    brand: "Test network", "Testnetz";
    band: "Test network: no real money", "Testnetz: kein echtes Geld";
    skip: "Skip to content", "Zum Inhalt springen";
    leave: "Cancel and return", "Abbrechen und zurückkehren";
    leave_closed: "Cancel", "Abbrechen";
    theme: "Theme", "Farben";
    error_title: "Error: {title}", "Fehler: {title}";
    error_summary: "Please check what you typed", "Bitte prüfen Sie Ihre Angaben";
    continue_button: "Continue", "Weiter";
    steps: "Steps", "Schritte";
    step_contact: "You", "Sie";
    step_code: "Code", "Code";
    step_plan: "Plan", "Zahlweise";
    step_review: "Review", "Prüfen";
    // Order.
    order_at: "Your order at {partner}", "Ihre Bestellung bei {partner}";
    order_lines: "What you are buying", "Was Sie kaufen";
    order_reference: "Order {reference}", "Bestellung {reference}";
    total: "Total", "Summe";
    token_only: "No payment now: {partner} asks to charge your account for later purchases.", "Heute keine Zahlung: {partner} möchte Ihr Konto für spätere Käufe belasten.";
    partner_unnamed: "the shop", "der Shop";
    // Contact.
    contact_title: "Who is paying?", "Wer bezahlt?";
    contact_lead: "We look your account up, or open one.", "Wir finden Ihr Konto oder legen eines an.";
    contact_label: "Mobile number or e-mail", "Mobilnummer oder E-Mail";
    contact_help: "For example +{code} 151 2345678 or name@example.com.", "Zum Beispiel +{code} 151 2345678 oder name@example.com.";
    contact_error: "Enter a mobile number or an e-mail address.", "Geben Sie eine Mobilnummer oder eine E-Mail-Adresse ein.";
    // Code.
    code_title: "Enter the code", "Code eingeben";
    code_sent: "We sent six digits to {contact}.", "Wir haben sechs Ziffern an {contact} gesendet.";
    code_label: "One-time code", "Einmalcode";
    code_format_error: "Enter the six digits of the code.", "Geben Sie die sechs Ziffern des Codes ein.";
    code_wrong_error: "That code is not right. Check it and try again.", "Dieser Code stimmt nicht. Prüfen Sie ihn und versuchen Sie es noch einmal.";
    code_spent: "Too many wrong codes. Say again who you are, and we send a new one.", "Zu viele falsche Codes. Sagen Sie noch einmal, wer Sie sind, dann senden wir einen neuen.";
    code_other: "Use another number or e-mail", "Andere Nummer oder E-Mail verwenden";
    // Plan.
    plan_title: "How would you like to pay?", "Wie möchten Sie bezahlen?";
    plan_legend: "Ways to pay {amount}", "Möglichkeiten, {amount} zu bezahlen";
    plan_error: "Choose how you would like to pay.", "Wählen Sie, wie Sie bezahlen möchten.";
    plan_pay_now: "Pay now", "Sofort bezahlen";
    plan_pay_later: "Pay in 30 days", "In 30 Tagen bezahlen";
    plan_parts: "{parts} instalments", "In {parts} Raten bezahlen";
    plan_now_help: "{amount} today.", "{amount} heute.";
    plan_later_help: "{amount} on {date}. No fee.", "{amount} am {date}. Ohne Gebühr.";
    plan_month_help: "One each month, the first today. No interest.", "Jeden Monat eine, die erste heute. Ohne Zinsen.";
    plan_weeks_help: "One every two weeks, the first today. No interest.", "Alle zwei Wochen eine, die erste heute. Ohne Zinsen.";
    plan_terms: "Terms of the ways to pay", "Bedingungen der Zahlweisen";
    plan_terms_now: "Pay now: the whole amount is taken today from the account you keep with the test network.", "Sofort bezahlen: der ganze Betrag wird heute von Ihrem Konto beim Testnetz abgebucht.";
    plan_terms_later: "Pay later and instalments: each part is taken on its date. You may pay earlier at any time. Interest 0 %, fees 0.", "Später bezahlen und Raten: jeder Teil wird an seinem Datum abgebucht. Sie können jederzeit früher bezahlen. Zinsen 0 %, Gebühren 0.";
    plan_terms_test: "This is a test network: nothing is ever taken from anyone.", "Dies ist ein Testnetz: von niemandem wird jemals etwas abgebucht.";
    today: "Today", "Heute";
    // Review.
    review_title: "Review and confirm", "Prüfen und bestätigen";
    review_you: "Account", "Konto";
    review_plan: "Way to pay", "Zahlweise";
    review_schedule: "What is due when", "Was wann fällig ist";
    review_change: "Change", "Ändern";
    review_change_what: "Change: {what}", "Ändern: {what}";
    review_terms: "By confirming you accept the terms of “{plan}”.", "Mit der Bestätigung nehmen Sie die Bedingungen von „{plan}“ an.";
    review_token: "You also allow {partner} to charge this account for later purchases, until you withdraw it.", "Außerdem erlauben Sie {partner}, dieses Konto für spätere Käufe zu belasten, bis Sie das widerrufen.";
    review_token_only: "You allow {partner} to charge this account for later purchases, until you withdraw it. Nothing is paid now.", "Sie erlauben {partner}, dieses Konto für spätere Käufe zu belasten, bis Sie das widerrufen. Heute wird nichts bezahlt.";
    review_profile: "{partner} receives from your account: {fields}.", "{partner} erhält aus Ihrem Konto: {fields}.";
    review_changed: "The order has changed since you chose how to pay. Nothing was paid. Please choose again.", "Die Bestellung hat sich geändert, seit Sie die Zahlweise gewählt haben. Es wurde nichts bezahlt. Bitte wählen Sie noch einmal.";
    confirm_amount: "Confirm {amount}", "{amount} bestätigen";
    confirm_token: "Allow", "Erlauben";
    refuse: "Decline this purchase", "Diesen Kauf ablehnen";
    refuse_help: "Declining ends the purchase for good. To come back later, cancel and return instead.", "Ablehnen beendet den Kauf endgültig. Um später weiterzumachen, wählen Sie „Abbrechen und zurückkehren“.";
    profile_name: "name", "Name";
    profile_email: "e-mail", "E-Mail";
    profile_phone: "phone", "Telefon";
    profile_locale: "language", "Sprache";
    profile_address: "billing address", "Rechnungsadresse";
    profile_country: "country", "Land";
    profile_national_id: "national id", "Personenkennzeichen";
    profile_birth: "date of birth", "Geburtsdatum";
    // Ends.
    waiting_title: "One moment", "Einen Moment";
    waiting_text: "We are checking your purchase. This page continues by itself.", "Wir prüfen Ihren Kauf. Diese Seite geht von selbst weiter.";
    waiting_now: "Check again now", "Jetzt noch einmal nachsehen";
    approved_title: "Your purchase is approved", "Ihr Kauf ist genehmigt";
    approved_text: "{amount} to {partner}. You don't need to do anything else here.", "{amount} an {partner}. Sie brauchen hier nichts mehr zu tun.";
    approved_token_text: "{partner} may charge your account for later purchases. You don't need to do anything else here.", "{partner} darf Ihr Konto für spätere Käufe belasten. Sie brauchen hier nichts mehr zu tun.";
    declined_title: "We can't offer this purchase", "Diesen Kauf können wir nicht anbieten";
    declined_text: "We are sorry. This has nothing to do with {partner}, and nothing was charged. You can go back and pay in another way.", "Das tut uns leid. Es liegt nicht an {partner}, und es wurde nichts abgebucht. Sie können zurückkehren und anders bezahlen.";
    canceled_title: "This purchase was canceled", "Dieser Kauf wurde storniert";
    canceled_text: "{partner} has withdrawn it. Nothing was charged.", "{partner} hat ihn zurückgezogen. Es wurde nichts abgebucht.";
    expired_title: "This link has expired", "Dieser Link ist abgelaufen";
    expired_text: "Nothing was charged. Go back to {partner} to start the payment again.", "Es wurde nichts abgebucht. Kehren Sie zu {partner} zurück, um die Zahlung neu zu beginnen.";
    left_title: "You left this purchase", "Sie haben diesen Kauf verlassen";
    left_text: "Nothing was charged. You can close this window, or go on while the link is valid.", "Es wurde nichts abgebucht. Sie können dieses Fenster schließen oder weitermachen, solange der Link gilt.";
    left_resume: "Go on with the purchase", "Mit dem Kauf weitermachen";
    close_text: "You can close this window.", "Sie können dieses Fenster schließen.";
    back_to: "Return to {partner}", "Zurück zu {partner}";
    unknown_title: "We don't know this link", "Diesen Link kennen wir nicht";
    unknown_text: "It may be mistyped or too old. Nothing was charged. Go back to the shop to start the payment again.", "Vielleicht ist er falsch geschrieben oder zu alt. Es wurde nichts abgebucht. Kehren Sie zum Shop zurück, um die Zahlung neu zu beginnen.";
    session_title: "Please open the link again", "Bitte öffnen Sie den Link noch einmal";
    session_text: "This browser doesn't know where you were, perhaps because it refuses cookies. Nothing was charged. Open the payment again from the shop.", "Dieser Browser weiß nicht, wo Sie waren, vielleicht weil er Cookies ablehnt. Es wurde nichts abgebucht. Öffnen Sie die Zahlung noch einmal aus dem Shop.";
    stale_title: "This page is out of date", "Diese Seite ist veraltet";
    stale_text: "It was made for another visit, so we did nothing. Go on from where you are now.", "Sie gehört zu einem anderen Besuch, darum haben wir nichts getan. Machen Sie dort weiter, wo Sie jetzt sind.";
    failed_title: "Something went wrong on our side", "Bei uns ist etwas schiefgegangen";
    failed_text: "Nothing was charged by this step. Wait a moment and try it again.", "In diesem Schritt wurde nichts abgebucht. Warten Sie einen Moment und versuchen Sie es noch einmal.";
    failed_reference: "Reference for support: {reference}", "Kennung für Rückfragen: {reference}";
    // Shipping.
    shipping_title: "Where should it go?", "Wohin soll es gehen?";
    shipping_given_name: "First name", "Vorname";
    shipping_family_name: "Last name", "Nachname";
    shipping_street: "Street and number", "Straße und Hausnummer";
    shipping_postal_code: "Postal code", "Postleitzahl";
    shipping_city: "City", "Ort";
    shipping_region: "State or region, where there is one", "Bundesland oder Region, wo es das gibt";
    shipping_country: "Country", "Land";
    shipping_error: "Fill in every field; the region may stay empty.", "Füllen Sie jedes Feld aus; die Region darf leer bleiben.";
    shipping_asking: "{partner} is looking whether and how it can ship there. This page continues by itself.", "{partner} prüft, ob und wie dorthin geliefert wird. Diese Seite geht von selbst weiter.";
    shipping_refused: "{partner} does not ship to this address. Please enter another one.", "{partner} liefert nicht an diese Adresse. Bitte geben Sie eine andere ein.";
    shipping_options_title: "How should it be shipped?", "Wie soll geliefert werden?";
    shipping_option_refused: "{partner} cannot ship in this way. Please choose another one.", "{partner} kann so nicht liefern. Bitte wählen Sie eine andere Lieferart.";
    shipping_option_error: "Choose how it should be shipped.", "Wählen Sie, wie geliefert werden soll.";
    shipping_change: "Use another address", "Andere Adresse verwenden";
    // On the Partner's page, while a window of the journey is open.
    sdk_title: "Continue in the payment window", "Weiter im Zahlungsfenster";
    sdk_text: "Your payment goes on in a window of its own. This page waits for it.", "Ihre Zahlung geht in einem eigenen Fenster weiter. Diese Seite wartet darauf.";
    sdk_continue: "Show the window", "Fenster zeigen";
    sdk_blocked_title: "Your browser blocked the payment window", "Ihr Browser hat das Zahlungsfenster blockiert";
    sdk_blocked_text: "Nothing was charged. Open the window to go on.", "Es wurde nichts abgebucht. Öffnen Sie das Fenster, um weiterzumachen.";
    // Test shopper.
    test_title: "Test shopper", "Testkunde";
    test_contact: "Only on the test network. Fill in a shopper who is:", "Nur im Testnetz. Einen Kunden einsetzen, der:";
    test_approved: "Approved", "Genehmigt wird";
    test_denied: "Denied", "Abgelehnt wird";
    test_new: "New", "Neu ist";
    test_code: "Only on the test network: any six digits are right, but 999999 is wrong.", "Nur im Testnetz: alle sechs Ziffern sind richtig, nur 999999 ist falsch.";
    test_fill: "Fill in a code", "Code einsetzen";
    months: "January,February,March,April,May,June,July,August,September,October,November,December", "Januar,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember";
    date: "{day} {month} {year}", "{day}. {month} {year}";
}

/// Puts values into a text's `{name}` places.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    // Values are not searched again: a Partner's name may hold braces.
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match values.iter().find(|(candidate, _)| *candidate == name) {
            Some((_, value)) => filled.push_str(value),
            None => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_text_has_the_same_places_in_all_languages() {
        for (name, [english, german]) in ROWS {
            assert_eq!(places(english), places(german), "{name}");
            assert!(!english.contains('!') && !german.contains('!'), "{name}: no exclamation marks");
        }
    }

    #[test]
    fn values_are_put_in_once() {
        assert_eq!(fill("{a} to {b}, {c}", &[("a", "{b}"), ("b", "x")]), "{b} to x, {c}");
        assert_eq!(fill("open { brace", &[]), "open { brace");
    }
}
