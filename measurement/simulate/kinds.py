"""Places and channels that the presets are built from."""

from measurement.simulate.settings import ChannelTruth, Touches

# German states with people in thousands, rounded.
STATES = {
    "Baden-Württemberg": 11_200,
    "Bayern": 13_200,
    "Berlin": 3_700,
    "Brandenburg": 2_550,
    "Bremen": 690,
    "Hamburg": 1_860,
    "Hessen": 6_300,
    "Mecklenburg-Vorpommern": 1_600,
    "Niedersachsen": 8_000,
    "Nordrhein-Westfalen": 18_000,
    "Rheinland-Pfalz": 4_150,
    "Saarland": 1_000,
    "Sachsen": 4_050,
    "Sachsen-Anhalt": 2_150,
    "Schleswig-Holstein": 2_950,
    "Thüringen": 2_100,
}

TV = ChannelTruth(
    "tv",
    share=0.030,
    iroas=1.4,
    decay=0.7,
    l_max=13,
    half_saturation=1.6,
    slope=1.3,
    local=0.25,
    flight=(5, 3),
    burst=0.6,
)
RADIO = ChannelTruth(
    "radio", share=0.012, iroas=0.9, decay=0.45, l_max=8, half_saturation=1.3, local=0.4, flight=(4, 3), burst=0.5
)
BRAND_SEARCH = ChannelTruth(
    "brand_search",
    share=0.020,
    iroas=0.5,
    decay=0.1,
    l_max=4,
    half_saturation=1.2,
    slope=1.0,
    demand_driven="strong",
    own_sd=0.15,
    touches=Touches(on_orders=0.04, reach=0.25, intent=3.0, lag_days=1.0, click_share=1.0, overclaim=1.0),
)
GENERIC_SEARCH = ChannelTruth(
    "generic_search",
    share=0.022,
    iroas=1.7,
    decay=0.25,
    l_max=6,
    half_saturation=1.8,
    slope=1.1,
    demand_driven="some",
    own_sd=0.2,
    local=0.35,
    touches=Touches(on_orders=0.07, reach=1.0, intent=1.5, lag_days=4.0, click_share=1.0, overclaim=1.1),
)
SOCIAL = ChannelTruth(
    "social",
    share=0.020,
    iroas=2.3,
    decay=0.4,
    half_saturation=1.5,
    own_sd=0.2,
    local=0.35,
    burst=0.8,
    touches=Touches(on_orders=0.05, reach=3.0, intent=0.4, lag_days=8.0, click_share=0.25, tracked=0.8, overclaim=1.3),
)
VIDEO = ChannelTruth(
    "video",
    share=0.014,
    iroas=3.2,
    decay=0.55,
    peak=1.0,
    half_saturation=2.0,
    slope=1.3,
    own_sd=0.2,
    local=0.35,
    burst=0.8,
    touches=Touches(on_orders=0.03, reach=3.0, intent=0.2, lag_days=10.0, click_share=0.08, tracked=0.5, overclaim=1.2),
)
AFFILIATES = ChannelTruth(
    "affiliates",
    share=0.013,
    iroas=0.6,
    decay=0.1,
    l_max=4,
    half_saturation=1.3,
    slope=1.0,
    demand_driven="some",
    own_sd=0.2,
    touches=Touches(on_orders=0.028, reach=0.4, intent=2.5, lag_days=0.7, click_share=1.0, overclaim=1.0),
)
RETARGETING = ChannelTruth(
    "retargeting",
    share=0.010,
    iroas=0.8,
    decay=0.2,
    l_max=4,
    half_saturation=1.2,
    slope=1.0,
    demand_driven="strong",
    own_sd=0.2,
    touches=Touches(on_orders=0.04, reach=0.6, intent=2.5, lag_days=1.5, click_share=0.2, overclaim=1.2),
)
OUT_OF_HOME = ChannelTruth(
    "out_of_home", share=0.010, iroas=1.1, decay=0.6, half_saturation=1.5, local=0.6, flight=(4, 4), burst=0.4
)
PRINT = ChannelTruth("print", share=0.008, iroas=0.7, decay=0.3, l_max=6, half_saturation=1.2, local=0.3, burst=0.3)
KINDS = (TV, BRAND_SEARCH, SOCIAL, GENERIC_SEARCH, VIDEO, RADIO, RETARGETING, AFFILIATES, OUT_OF_HOME, PRINT)
