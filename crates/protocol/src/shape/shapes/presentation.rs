//! Presentation and messaging (sheets 04 §1, §5, 06 §4).

use super::{COUNT, Kind, Row, list_rows, reference, text, text_of, under};

crate::shapes! {
    /// GET `…/payment/presentation`.
    presentation = presentation_rows(), &[];
    /// GET `…/payment/presentation/variants`.
    variants = variants_rows(), &[];
    /// GET `…/payment/messaging/{placement}`.
    messaging = messaging_rows(), &[];
}

const URL: Kind = Kind::Url { http: super::Http::Always };
const TEXT_LENGTH_MAX: usize = 1024;

fn message_rows(at: &str) -> Vec<Row> {
    let part = [
        Row::new("type", Kind::OneOf(&["TEXT", "LINK"])).required(),
        text_of("text", 0, TEXT_LENGTH_MAX).required(),
        Row::new("url", URL),
        Row::new("context", Kind::OneOf(&["INFO", "AUTH"])),
    ];
    let mut rows = vec![text_of("text", 1, TEXT_LENGTH_MAX).required()];
    rows.extend(list_rows("parts", part, false));
    under(at, rows)
}

fn icon_rows(at: &str) -> Vec<Row> {
    under(
        at,
        [
            Row::new("badge_image_url", URL).required(),
            Row::new("rectangle_image_url", URL).required(),
            Row::new("square_image_url", URL).required(),
            text("alt").required(),
        ],
    )
}

fn option_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        reference("payment_option_id").required(),
        Row::new("header", Kind::Object).required(),
        reference("header.text").required(),
        Row::new("subheader", Kind::Object).required(),
        reference("subheader.text").required(),
        reference("subheader.short.text").required(),
        text_of("subheader.enriched.text", 1, TEXT_LENGTH_MAX).required(),
        Row::new("subheader.enriched.link.href", URL).required(),
        reference("subheader.enriched.link.link_text").required(),
        reference("badge.text").required(),
        Row::new("icon", Kind::Object).required(),
        Row::new("message", Kind::Object).required(),
        Row::new("terms", Kind::Object).required(),
        Row::new("payment_button", Kind::Object).required(),
        reference("payment_button.text").required(),
        reference("payment_button.label").required(),
        Row::new("payment_button.image_url", URL).required(),
    ];
    rows.extend(icon_rows("icon"));
    rows.extend(message_rows("message"));
    rows.extend(message_rows("terms"));
    under(at, rows)
}

fn presentation_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("instruction", Kind::OneOf(&["SHOW_KLARNA", "PRESELECT_KLARNA", "SHOW_ONLY_KLARNA", "HIDE_KLARNA"]))
            .required(),
        Row::new("payment_status", Kind::OneOf(&["REQUIRES_CUSTOMER_ACTION", "PENDING_PARTNER_AUTHORIZATION"])),
    ];
    rows.extend(option_rows("payment_option"));
    rows.extend(option_rows("saved_payment_option"));
    rows
}

fn variants_rows() -> Vec<Row> {
    let mut variant = vec![
        Row::new("minimum_amount", COUNT).required(),
        Row::new("maximum_amount", COUNT).required(),
        Row::new("presentation", Kind::Object).required(),
    ];
    variant.extend(under("presentation", presentation_rows()));
    let mut rows = vec![Row::new("currency", Kind::Currency).required(), Row::new("locale", Kind::Locale).required()];
    rows.extend(list_rows("variants", variant, false));
    rows
}

fn messaging_rows() -> Vec<Row> {
    let node = [
        Row::new("name", Kind::OneOf(&["TEXT_MAIN", "ACTION_LEARN_MORE", "KLARNA_LOGO", "KLARNA_BADGE"])).required(),
        Row::new("type", Kind::OneOf(&["TEXT", "ACTION", "IMAGE"])).required(),
        text_of("value", 1, TEXT_LENGTH_MAX),
        reference("label"),
        Row::new("url", URL),
        text("alt"),
    ];
    let mut rows = vec![Row::new("content", Kind::Object).required()];
    rows.extend(under("content", list_rows("nodes", node, false)));
    rows.push(Row::new("message", Kind::Object).required());
    rows.extend(message_rows("message"));
    rows.extend(icon_rows("icon"));
    rows
}
