//! Merchant category codes: which are accepted, and how they are priced.
//!
//! Ours, following the public standard (ISO 18245): Klarna's list is not published in full. A code that stands here is accepted,
//! any other is not; codes of trades that Klarna's partners name as excluded (fact sheet 04 §8.3) are left out.

/// How a trade is priced, and what it cannot offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trade {
    /// Goods.
    Retail,
    /// Food, medicine, health.
    Essential,
    /// Work done for the customer.
    Service,
    /// Games, software, media: nothing is shipped.
    Digital,
    /// Journeys, lodging, hired vehicles.
    Travel,
    /// Goods of many sellers.
    Marketplace,
}

/// The trade of a code; `None` for codes that are not accepted.
pub fn trade(code: &str) -> Option<Trade> {
    if code.len() != 4 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u16 = code.parse().ok()?;
    TABLE.iter().find(|(first, last, _)| (*first..=*last).contains(&number)).map(|(_, _, trade)| *trade)
}

/// Every accepted code, in order.
pub fn codes() -> impl Iterator<Item = String> {
    TABLE.iter().flat_map(|(first, last, _)| *first..=*last).map(|number| format!("{number:04}"))
}

/// The first and the last code of a run, in order.
#[rustfmt::skip]
const TABLE: &[(u16, u16, Trade)] = {
    use Trade::{Digital, Essential, Marketplace, Retail, Service, Travel};
    &[
        (742, 744, Service), (763, 763, Service), (780, 780, Service), (1520, 1520, Service), (1711, 1711, Service),
        (1731, 1731, Service), (1740, 1740, Service), (1750, 1750, Service), (1761, 1761, Service), (1771, 1771, Service),
        (1799, 1799, Service), (2741, 2741, Service), (2791, 2791, Service), (2842, 2842, Service),
        (3000, 3308, Travel), (3351, 3441, Travel), (3500, 3838, Travel),
        (4111, 4112, Travel), (4119, 4119, Service), (4121, 4121, Travel), (4131, 4131, Travel), (4214, 4215, Service),
        (4225, 4225, Service), (4411, 4411, Travel), (4457, 4457, Travel), (4468, 4468, Travel), (4511, 4511, Travel),
        (4582, 4582, Travel), (4722, 4722, Travel), (4789, 4789, Travel), (4812, 4812, Retail), (4814, 4814, Service),
        (4816, 4816, Digital), (4821, 4821, Service), (4899, 4899, Digital), (4900, 4900, Essential),
        (5013, 5013, Retail), (5021, 5021, Retail), (5039, 5039, Retail), (5044, 5047, Retail), (5051, 5051, Retail),
        (5065, 5065, Retail), (5072, 5072, Retail), (5074, 5074, Retail), (5085, 5085, Retail), (5094, 5094, Retail),
        (5099, 5099, Retail), (5111, 5111, Retail), (5122, 5122, Essential), (5131, 5131, Retail), (5137, 5137, Retail),
        (5139, 5139, Retail), (5169, 5169, Retail), (5192, 5193, Retail), (5198, 5200, Retail), (5211, 5211, Retail),
        (5231, 5231, Retail), (5251, 5251, Retail), (5261, 5261, Retail), (5262, 5262, Marketplace), (5271, 5271, Retail),
        (5300, 5300, Retail), (5309, 5311, Retail), (5331, 5331, Retail), (5399, 5399, Retail), (5411, 5411, Essential),
        (5422, 5422, Essential), (5441, 5441, Essential), (5451, 5451, Essential), (5462, 5462, Essential),
        (5499, 5499, Essential), (5511, 5511, Retail), (5521, 5521, Retail), (5531, 5533, Retail), (5551, 5551, Retail),
        (5561, 5561, Retail), (5571, 5571, Retail), (5592, 5592, Retail), (5598, 5599, Retail), (5611, 5611, Retail),
        (5621, 5621, Retail), (5631, 5631, Retail), (5641, 5641, Retail), (5651, 5651, Retail), (5655, 5655, Retail),
        (5661, 5661, Retail), (5681, 5681, Retail), (5691, 5691, Retail), (5697, 5699, Retail), (5712, 5714, Retail),
        (5718, 5719, Retail), (5722, 5722, Retail), (5732, 5735, Retail), (5811, 5812, Essential), (5814, 5814, Essential),
        (5815, 5818, Digital), (5912, 5912, Essential), (5921, 5921, Retail), (5931, 5932, Retail), (5937, 5937, Retail),
        (5940, 5950, Retail), (5962, 5962, Travel), (5963, 5966, Retail), (5968, 5973, Retail), (5975, 5978, Retail),
        (5983, 5983, Essential), (5992, 5992, Retail), (5994, 5999, Retail), (6300, 6300, Service), (6513, 6513, Service),
        (7011, 7012, Travel), (7032, 7033, Travel), (7210, 7211, Service), (7216, 7217, Service), (7221, 7221, Service),
        (7230, 7230, Service), (7251, 7251, Service), (7296, 7299, Service), (7311, 7311, Service), (7333, 7333, Service),
        (7338, 7339, Service), (7342, 7342, Service), (7349, 7349, Service), (7372, 7372, Digital), (7375, 7375, Digital),
        (7379, 7379, Service), (7392, 7392, Service), (7394, 7395, Service), (7399, 7399, Service), (7512, 7513, Travel),
        (7519, 7519, Travel), (7523, 7523, Service), (7531, 7531, Service), (7534, 7535, Service), (7538, 7538, Service),
        (7542, 7542, Service), (7549, 7549, Service), (7622, 7623, Service), (7629, 7629, Service), (7631, 7631, Service),
        (7641, 7641, Service), (7692, 7692, Service), (7699, 7699, Service), (7829, 7829, Service), (7832, 7832, Service),
        (7841, 7841, Digital), (7911, 7911, Service), (7922, 7922, Service), (7929, 7929, Service), (7932, 7933, Service),
        (7941, 7941, Service), (7991, 7992, Service), (7994, 7994, Digital), (7996, 7999, Service), (8011, 8011, Essential),
        (8021, 8021, Essential), (8031, 8031, Essential), (8041, 8043, Essential), (8049, 8050, Essential),
        (8062, 8062, Essential), (8071, 8071, Essential), (8099, 8099, Essential), (8111, 8111, Service),
        (8211, 8211, Service), (8220, 8220, Service), (8241, 8241, Service), (8244, 8244, Service), (8249, 8249, Service),
        (8299, 8299, Service), (8351, 8351, Service), (8911, 8911, Service), (8999, 8999, Service),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_do_not_overlap_and_stand_in_order() {
        assert!(TABLE.iter().all(|(first, last, _)| first <= last));
        assert!(TABLE.is_sorted_by(|a, b| a.1 < b.0));
        assert!(codes().is_sorted());
    }

    #[test]
    fn what_is_excluded_or_no_code_has_no_trade() {
        assert_eq!(trade("5942"), Some(Trade::Retail));
        assert_eq!(trade("0744"), Some(Trade::Service));
        assert_eq!(trade("3838"), Some(Trade::Travel));
        let excluded =
            "4829 6010 6011 6012 6050 6051 6211 6529 6535 6540 7778 7800 7801 7802 7995 9211 9222 9223 9754 5967 7273";
        for code in excluded.split(' ').chain(["", "594", "59421", "+742", "١٢٣٤"]) {
            assert_eq!(trade(code), None, "{code}");
        }
    }
}
