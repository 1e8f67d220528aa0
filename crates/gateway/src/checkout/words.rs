//! The page's own words. What Klarna's option is called and says comes from Klarna, at the moment it is shown (GLO-4).

use protocol::Money;

/// What the page says, in one language. `{shop}`, `{amount}` and `{reference}` are filled in.
pub(crate) struct Words {
    /// ISO 639-1.
    pub code: &'static str,
    /// What separates thousands, and what fractions.
    pub digits: (char, char),
    pub skip: &'static str,
    /// Of the switch between colours: automatic, light, dark.
    pub themes: &'static str,
    pub checkout: &'static str,
    pub order: &'static str,
    pub total: &'static str,
    pub choose: &'static str,
    pub other: &'static str,
    pub other_help: &'static str,
    pub pay: &'static str,
    pub go_on: &'static str,
    pub confirm: &'static str,
    pub approved: &'static str,
    pub back: &'static str,
    pub declined_title: &'static str,
    pub declined_text: &'static str,
    pub nothing_title: &'static str,
    pub nothing_text: &'static str,
    pub elsewhere_title: &'static str,
    pub elsewhere_text: &'static str,
    pub elsewhere_go_on: &'static str,
    pub choose_again: &'static str,
    pub on_phone: &'static str,
    pub on_phone_text: &'static str,
    /// Of the picture, for who does not see it.
    pub code_alt: &'static str,
    pub left_title: &'static str,
    pub left_text: &'static str,
    /// Beside the ring that turns.
    pub wait: &'static str,
    pub underway_title: &'static str,
    pub underway_text: &'static str,
    pub look_again: &'static str,
    pub paid_title: &'static str,
    pub paid_text: &'static str,
    pub expired_title: &'static str,
    pub expired_text: &'static str,
    pub canceled_title: &'static str,
    pub canceled_text: &'static str,
    pub no_way_title: &'static str,
    pub no_way_text: &'static str,
    pub unheard: &'static str,
    pub unknown_title: &'static str,
    pub unknown_text: &'static str,
    pub failed_title: &'static str,
    pub failed_text: &'static str,
    pub quote: &'static str,
    /// Said by the script, when something went wrong before any money moved.
    pub not_begun: &'static str,
}

const ENGLISH: Words = Words {
    code: "en",
    digits: (',', '.'),
    skip: "Skip to content",
    themes: "Theme: automatic|Theme: light|Theme: dark",
    checkout: "Checkout",
    order: "Your order",
    total: "Total",
    choose: "How would you like to pay?",
    other: "Another way to pay",
    other_help: "You continue at {shop}.",
    pay: "Pay {amount}",
    go_on: "Continue",
    confirm: "Place the order",
    approved: "Klarna has approved this purchase already. Place the order to finish.",
    back: "Back to {shop}",
    declined_title: "Klarna declined this payment",
    declined_text: "No money moved. Choose another way to pay, or another plan with Klarna.",
    nothing_title: "The payment was not completed",
    nothing_text: "No money moved. You can try again, or choose another way to pay.",
    elsewhere_title: "You chose to pay in another way",
    elsewhere_text: "Go on at {shop}. If you would rather pay with Klarna, choose again: then do not pay there, too.",
    elsewhere_go_on: "Continue at {shop}",
    choose_again: "Choose again",
    on_phone: "Pay on your phone instead",
    on_phone_text: "Scan this code with your phone and pay there. This page follows by itself.",
    code_alt: "Code that opens this page on your phone",
    left_title: "You have not finished paying",
    left_text: "Nothing is paid yet. Go on where you left, or choose another way to pay.",
    wait: "One moment",
    underway_title: "Your payment is being confirmed",
    underway_text: "This takes a moment. Do not pay again; this page follows by itself.",
    look_again: "Look again",
    paid_title: "This order is paid",
    paid_text: "Thank you. There is nothing left to do here.",
    expired_title: "This page has expired",
    expired_text: "The order was not paid in time, and no money moved. Order again at {shop} if you still want it.",
    canceled_title: "This order was canceled",
    canceled_text: "No money moved. Ask {shop} if you did not expect this.",
    no_way_title: "This order cannot be paid here",
    no_way_text: "There is no way to pay that fits this order. No money moved. Please ask {shop}.",
    unheard: "Klarna cannot be reached at the moment. Load the page again to see whether it is offered.",
    unknown_title: "Page not found",
    unknown_text: "This address does not lead to an order. Open it again from the shop or from the message that you got.",
    failed_title: "This did not work",
    failed_text: "Something is wrong on our side. Go back and look at your order before you pay again.",
    quote: "If you ask for help, quote {reference}.",
    not_begun: "The payment did not begin, and no money moved. Please try again.",
};

const GERMAN: Words = Words {
    code: "de",
    digits: ('.', ','),
    skip: "Zum Inhalt",
    themes: "Farben: automatisch|Farben: hell|Farben: dunkel",
    checkout: "Kasse",
    order: "Ihre Bestellung",
    total: "Summe",
    choose: "Wie möchten Sie bezahlen?",
    other: "Anders bezahlen",
    other_help: "Es geht bei {shop} weiter.",
    pay: "{amount} bezahlen",
    go_on: "Weiter",
    confirm: "Bestellung abschließen",
    approved: "Klarna hat diesen Kauf schon bewilligt. Schließen Sie die Bestellung ab.",
    back: "Zurück zu {shop}",
    declined_title: "Klarna hat die Zahlung abgelehnt",
    declined_text: "Es ist kein Geld geflossen. Wählen Sie eine andere Zahlungsart oder bei Klarna einen anderen Plan.",
    nothing_title: "Die Zahlung kam nicht zustande",
    nothing_text: "Es ist kein Geld geflossen. Versuchen Sie es noch einmal, oder bezahlen Sie anders.",
    elsewhere_title: "Sie bezahlen auf andere Weise",
    elsewhere_text: "Machen Sie bei {shop} weiter. Wenn Sie doch mit Klarna bezahlen möchten, wählen Sie neu: Bezahlen Sie dann nicht auch noch dort.",
    elsewhere_go_on: "Bei {shop} weitermachen",
    choose_again: "Neu wählen",
    on_phone: "Lieber auf dem Telefon bezahlen",
    on_phone_text: "Scannen Sie diesen Code mit dem Telefon und bezahlen Sie dort. Diese Seite geht von selbst weiter.",
    code_alt: "Code, der diese Seite auf dem Telefon öffnet",
    left_title: "Die Zahlung ist noch nicht fertig",
    left_text: "Noch ist nichts bezahlt. Machen Sie weiter, wo Sie waren, oder bezahlen Sie anders.",
    wait: "Einen Augenblick",
    underway_title: "Ihre Zahlung wird bestätigt",
    underway_text: "Das dauert einen Augenblick. Bezahlen Sie nicht noch einmal; diese Seite geht von selbst weiter.",
    look_again: "Noch einmal nachsehen",
    paid_title: "Diese Bestellung ist bezahlt",
    paid_text: "Vielen Dank. Hier ist nichts mehr zu tun.",
    expired_title: "Diese Seite ist abgelaufen",
    expired_text: "Es wurde nicht rechtzeitig bezahlt, und es ist kein Geld geflossen. Bestellen Sie bei {shop} noch einmal.",
    canceled_title: "Diese Bestellung wurde zurückgezogen",
    canceled_text: "Es ist kein Geld geflossen. Fragen Sie {shop}, wenn Sie das nicht erwartet haben.",
    no_way_title: "Diese Bestellung kann hier nicht bezahlt werden",
    no_way_text: "Keine Zahlungsart passt zu dieser Bestellung. Es ist kein Geld geflossen. Bitte fragen Sie {shop}.",
    unheard: "Klarna ist im Augenblick nicht zu erreichen. Laden Sie die Seite neu, um zu sehen, ob es angeboten wird.",
    unknown_title: "Seite nicht gefunden",
    unknown_text: "Diese Adresse führt zu keiner Bestellung. Öffnen Sie sie noch einmal aus dem Shop oder aus der Nachricht.",
    failed_title: "Das hat nicht geklappt",
    failed_text: "Bei uns ist etwas schiefgegangen. Gehen Sie zurück und sehen Sie nach, bevor Sie noch einmal bezahlen.",
    quote: "Wenn Sie nachfragen, nennen Sie {reference}.",
    not_begun: "Die Zahlung hat nicht begonnen, und es ist kein Geld geflossen. Bitte versuchen Sie es noch einmal.",
};

const SWEDISH: Words = Words {
    code: "sv",
    digits: ('\u{a0}', ','),
    skip: "Till innehållet",
    themes: "Färger: automatiska|Färger: ljusa|Färger: mörka",
    checkout: "Kassa",
    order: "Din beställning",
    total: "Summa",
    choose: "Hur vill du betala?",
    other: "Betala på annat sätt",
    other_help: "Du fortsätter hos {shop}.",
    pay: "Betala {amount}",
    go_on: "Fortsätt",
    confirm: "Slutför beställningen",
    approved: "Klarna har redan godkänt köpet. Slutför beställningen.",
    back: "Tillbaka till {shop}",
    declined_title: "Klarna godkände inte betalningen",
    declined_text: "Inga pengar har dragits. Välj ett annat sätt att betala, eller en annan plan hos Klarna.",
    nothing_title: "Betalningen blev inte klar",
    nothing_text: "Inga pengar har dragits. Försök igen eller välj ett annat sätt att betala.",
    elsewhere_title: "Du valde att betala på annat sätt",
    elsewhere_text: "Fortsätt hos {shop}. Vill du hellre betala med Klarna, välj igen: betala då inte där också.",
    elsewhere_go_on: "Fortsätt hos {shop}",
    choose_again: "Välj igen",
    on_phone: "Betala hellre på telefonen",
    on_phone_text: "Skanna koden med telefonen och betala där. Sidan uppdateras av sig själv.",
    code_alt: "Kod som öppnar sidan på telefonen",
    left_title: "Betalningen är inte klar än",
    left_text: "Ingenting är betalt än. Fortsätt där du var, eller välj ett annat sätt att betala.",
    wait: "Ett ögonblick",
    underway_title: "Betalningen bekräftas",
    underway_text: "Det tar en liten stund. Betala inte en gång till; sidan uppdateras av sig själv.",
    look_again: "Titta igen",
    paid_title: "Beställningen är betald",
    paid_text: "Tack. Det finns inget mer att göra här.",
    expired_title: "Sidan har gått ut",
    expired_text: "Ingen betalade i tid, och inga pengar har dragits. Beställ igen hos {shop} om du vill.",
    canceled_title: "Beställningen togs tillbaka",
    canceled_text: "Inga pengar har dragits. Fråga {shop} om det var oväntat.",
    no_way_title: "Beställningen kan inte betalas här",
    no_way_text: "Inget betalsätt passar beställningen. Inga pengar har dragits. Fråga {shop}.",
    unheard: "Klarna går inte att nå just nu. Ladda om sidan för att se om det erbjuds.",
    unknown_title: "Sidan finns inte",
    unknown_text: "Adressen leder inte till någon beställning. Öppna den igen från butiken eller meddelandet.",
    failed_title: "Det gick inte",
    failed_text: "Något är fel hos oss. Gå tillbaka och titta på beställningen innan du betalar igen.",
    quote: "Ange {reference} om du ber om hjälp.",
    not_begun: "Betalningen började inte, och inga pengar har dragits. Försök igen.",
};

const FRENCH: Words = Words {
    code: "fr",
    digits: ('\u{202f}', ','),
    skip: "Aller au contenu",
    themes: "Couleurs : automatiques|Couleurs : claires|Couleurs : sombres",
    checkout: "Paiement",
    order: "Votre commande",
    total: "Total",
    choose: "Comment souhaitez-vous payer ?",
    other: "Payer autrement",
    other_help: "Vous continuez chez {shop}.",
    pay: "Payer {amount}",
    go_on: "Continuer",
    confirm: "Valider la commande",
    approved: "Klarna a déjà approuvé cet achat. Validez la commande pour terminer.",
    back: "Retour à {shop}",
    declined_title: "Klarna a refusé ce paiement",
    declined_text: "Rien n’a été débité. Choisissez un autre moyen de paiement, ou une autre formule chez Klarna.",
    nothing_title: "Le paiement n’a pas abouti",
    nothing_text: "Rien n’a été débité. Vous pouvez réessayer ou payer autrement.",
    elsewhere_title: "Vous avez choisi de payer autrement",
    elsewhere_text: "Continuez chez {shop}. Si vous préférez payer avec Klarna, choisissez de nouveau : ne payez alors pas aussi là-bas.",
    elsewhere_go_on: "Continuer chez {shop}",
    choose_again: "Choisir de nouveau",
    on_phone: "Payer plutôt sur votre téléphone",
    on_phone_text: "Scannez ce code avec votre téléphone et payez-y. Cette page suit d’elle-même.",
    code_alt: "Code qui ouvre cette page sur votre téléphone",
    left_title: "Le paiement n’est pas terminé",
    left_text: "Rien n’est encore payé. Reprenez là où vous étiez, ou payez autrement.",
    wait: "Un instant",
    underway_title: "Votre paiement est en cours de confirmation",
    underway_text: "Cela prend un instant. Ne payez pas une seconde fois ; cette page suit d’elle-même.",
    look_again: "Vérifier de nouveau",
    paid_title: "Cette commande est payée",
    paid_text: "Merci. Il n’y a plus rien à faire ici.",
    expired_title: "Cette page a expiré",
    expired_text: "La commande n’a pas été payée à temps et rien n’a été débité. Commandez de nouveau chez {shop}.",
    canceled_title: "Cette commande a été annulée",
    canceled_text: "Rien n’a été débité. Demandez à {shop} si vous ne vous y attendiez pas.",
    no_way_title: "Cette commande ne peut pas être payée ici",
    no_way_text: "Aucun moyen de paiement ne convient. Rien n’a été débité. Adressez-vous à {shop}.",
    unheard: "Klarna est injoignable pour le moment. Rechargez la page pour voir si ce moyen est proposé.",
    unknown_title: "Page introuvable",
    unknown_text: "Cette adresse ne mène à aucune commande. Ouvrez-la de nouveau depuis la boutique ou le message.",
    failed_title: "Cela n’a pas fonctionné",
    failed_text: "Un problème est survenu chez nous. Vérifiez votre commande avant de payer de nouveau.",
    quote: "Si vous demandez de l’aide, citez {reference}.",
    not_begun: "Le paiement n’a pas commencé et rien n’a été débité. Veuillez réessayer.",
};

const SPANISH: Words = Words {
    code: "es",
    digits: ('.', ','),
    skip: "Ir al contenido",
    themes: "Colores: automáticos|Colores: claros|Colores: oscuros",
    checkout: "Pago",
    order: "Su pedido",
    total: "Total",
    choose: "¿Cómo desea pagar?",
    other: "Pagar de otra forma",
    other_help: "Continúa en {shop}.",
    pay: "Pagar {amount}",
    go_on: "Continuar",
    confirm: "Confirmar el pedido",
    approved: "Klarna ya ha aprobado esta compra. Confirme el pedido para terminar.",
    back: "Volver a {shop}",
    declined_title: "Klarna ha rechazado este pago",
    declined_text: "No se ha cobrado nada. Elija otra forma de pago, u otro plan de Klarna.",
    nothing_title: "El pago no se completó",
    nothing_text: "No se ha cobrado nada. Puede intentarlo de nuevo o pagar de otra forma.",
    elsewhere_title: "Ha elegido pagar de otra forma",
    elsewhere_text: "Continúe en {shop}. Si prefiere pagar con Klarna, elija de nuevo: entonces no pague también allí.",
    elsewhere_go_on: "Continuar en {shop}",
    choose_again: "Elegir de nuevo",
    on_phone: "Pagar mejor con el teléfono",
    on_phone_text: "Escanee este código con el teléfono y pague allí. Esta página avanza sola.",
    code_alt: "Código que abre esta página en el teléfono",
    left_title: "El pago no está terminado",
    left_text: "Todavía no se ha pagado nada. Siga donde estaba o pague de otra forma.",
    wait: "Un momento",
    underway_title: "Se está confirmando su pago",
    underway_text: "Tarda un momento. No pague otra vez; esta página avanza sola.",
    look_again: "Mirar de nuevo",
    paid_title: "Este pedido está pagado",
    paid_text: "Gracias. No queda nada por hacer aquí.",
    expired_title: "Esta página ha caducado",
    expired_text: "El pedido no se pagó a tiempo y no se ha cobrado nada. Vuelva a pedirlo en {shop}.",
    canceled_title: "Este pedido fue cancelado",
    canceled_text: "No se ha cobrado nada. Pregunte a {shop} si no lo esperaba.",
    no_way_title: "Este pedido no se puede pagar aquí",
    no_way_text: "Ninguna forma de pago sirve para este pedido. No se ha cobrado nada. Pregunte a {shop}.",
    unheard: "Ahora mismo no se puede contactar con Klarna. Recargue la página para ver si se ofrece.",
    unknown_title: "Página no encontrada",
    unknown_text: "Esta dirección no lleva a ningún pedido. Ábrala de nuevo desde la tienda o el mensaje.",
    failed_title: "No ha funcionado",
    failed_text: "Algo falla por nuestra parte. Mire su pedido antes de volver a pagar.",
    quote: "Si pide ayuda, indique {reference}.",
    not_begun: "El pago no empezó y no se ha cobrado nada. Inténtelo de nuevo.",
};

/// The first is what is spoken where nothing fits.
static LANGUAGES: [Words; 5] = [ENGLISH, GERMAN, SWEDISH, FRENCH, SPANISH];

/// The words for a wish like `de-AT`, or for the first of an `Accept-Language` header's that we have.
pub(crate) fn words(locale: Option<&str>, accept_language: &str) -> &'static Words {
    let wishes = locale.into_iter().chain(accept_language.split(',').take(32));
    let mut primaries = wishes.map(|wish| wish.split(['-', '_', ';']).next().unwrap_or_default().trim());
    let of = |primary: &str| LANGUAGES.iter().find(|words| words.code.eq_ignore_ascii_case(primary));
    primaries.find_map(of).unwrap_or(&LANGUAGES[0])
}

impl Words {
    /// `€1,049.90` in English, `1.049,90 €` elsewhere.
    pub(crate) fn money(&self, money: Money) -> String {
        let (group, point) = self.digits;
        let number = money.grouped(group, point);
        let sign = money.currency.sign();
        match (self.code, sign) {
            ("en", Some(sign)) => format!("{sign}{number}"),
            ("en", None) => format!("{}\u{a0}{number}", money.currency),
            (_, sign) => format!("{number}\u{a0}{}", sign.unwrap_or(money.currency.code())),
        }
    }
}

/// Fills in a word.
pub(crate) fn fill(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("{{{name}}}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_decides_the_language_then_the_browser() {
        assert_eq!(words(Some("sv-SE"), "de").code, "sv");
        assert_eq!(words(Some("fi-FI"), "fi, de-CH;q=0.8, en;q=0.7").code, "de");
        assert_eq!(words(None, "xx").code, "en");
    }

    #[test]
    fn amounts_follow_the_language() {
        let money = |minor, code: &str| Money::new(minor, code.parse().unwrap());
        let of = |code: &str| words(Some(code), "");
        assert_eq!(of("en").money(money(104_990, "EUR")), "€1,049.90");
        assert_eq!(of("de").money(money(104_990, "EUR")), "1.049,90\u{a0}€");
        assert_eq!(of("sv").money(money(104_990, "SEK")), "1\u{a0}049,90\u{a0}SEK");
        assert_eq!(of("en").money(money(500, "JPY")), "JPY\u{a0}500");
    }

    #[test]
    fn every_language_names_the_shop_where_english_does() {
        for words in &LANGUAGES {
            let elsewhere = [words.elsewhere_text, words.elsewhere_go_on];
            let texts = [words.back, words.other_help, words.expired_text, words.canceled_text, words.no_way_text];
            for text in texts.into_iter().chain(elsewhere) {
                assert!(text.contains("{shop}"), "{}: {text}", words.code);
            }
            assert_eq!(words.themes.split('|').count(), 3, "{}", words.code);
            assert!(words.pay.contains("{amount}") && words.quote.contains("{reference}"), "{}", words.code);
        }
    }
}
