"""Pollution, carbon, light, energy and town networks of the synthetic cities; provincial series.

Belongs here: everything that the bad outputs and the energy input are made of. Does not belong
here: where it lies on a grid (``grids_writer``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.sample.inputs import stream
from dagster_project.sample.noise import balanced

if TYPE_CHECKING:
    from dagster_project.sample.world import Setting


def emissions(s: Setting, city: dict[str, np.ndarray]) -> None:
    """PM2.5 (ug/m3), CO2 (t; the inventory in Mt), night lights (sum of DN), SO2 (t)."""
    zone = s.adoption["bigdata"].notna().to_numpy()
    # Haze is worst on the North China Plain, and in the Sichuan basin.
    plain = 0.95 * np.exp(-(((s.lon - 115) / 6) ** 2) - ((s.lat - 35.5) / 5) ** 2)
    basin = 0.45 * np.exp(-(((s.lon - 104.5) / 3) ** 2) - ((s.lat - 30) / 2.5) ** 2)
    dust = -0.15 * ((s.lon < 103) & (s.lat < 34)) + 0.25 * ((s.lon < 92) & (s.lat > 36))
    mid = s.years.tolist().index(2013)
    output = city["output_untreated"]
    size = np.log(output[:, [mid]]) - np.log(output[:, [mid]]).mean()
    level = 3.36 + (plain + basin + dust)[:, None] + s.draws.level("pm25", 0.13)
    level = level + 0.12 * size  # bigger cities are hazier
    level = balanced(level, zone)
    path = s.path(
        {2003: 0.04, 2006: 0.12, 2011: 0.06, 2013: 0.1, 2015: 0.0, 2018: -0.18, 2020: -0.34,
         2023: -0.42}
    )  # fmt: skip
    haze = level + path + s.draws.ar1("pm25", 0.07, 0.5) + s.draws.province_shock("pm25", 0.03)
    city["pm25"] = s.moved("pm25", np.exp(haze))

    people = np.log(city["pop_resident"][:, [mid]])
    people = people - people.mean()
    heavy = city["share_secondary"].mean(axis=1, keepdims=True) / 100 - 0.45
    # Elasticities near those of a cross-section of EDGAR totals on population and output per head.
    carbon = 16.58 + 0.64 * people + 0.67 * s.income + 0.8 * heavy
    carbon = balanced(carbon + s.draws.level("co2_edgar", 0.62), zone)
    carbon = carbon + s.path({2003: -0.62, 2007: -0.18, 2011: 0.0, 2013: 0.08, 2016: 0.08,
                              2019: 0.16, 2023: 0.27})  # fmt: skip
    carbon = carbon + s.draws.ar1("co2_edgar", 0.07, 0.8)
    city["co2_edgar"] = s.moved("co2_edgar", np.exp(carbon))
    inventory = 3.0 + 0.75 * size + 1.1 * heavy + s.draws.level("co2_ceads", 0.45)
    inventory = inventory + s.path({2003: -0.75, 2008: -0.2, 2013: 0.15, 2019: 0.25, 2023: 0.3})
    inventory = inventory + s.draws.ar1("co2_ceads", 0.06)
    city["co2_ceads"] = s.moved("co2_ceads", np.exp(inventory))
    light = 8.2 + 0.97 * size + s.draws.level("light", 0.27) + s.draws.ar1("light", 0.09)
    light = light + s.path({2003: -0.85, 2008: -0.42, 2013: 0.0, 2018: 0.33, 2023: 0.55})
    city["night_light"] = s.moved("night_light", np.exp(light))
    sulphur = 10.1 + 0.55 * size + 1.5 * heavy + s.draws.level("so2", 0.6) + s.draws.ar1("so2", 0.1)
    sulphur = sulphur + s.path({2003: 0.3, 2006: 0.4, 2011: 0.3, 2015: 0.0, 2017: -0.9, 2023: -1.9})
    city["so2_industrial"] = np.exp(sulphur)
    watched = city["industrial_enterprises"].mean(axis=1, keepdims=True) ** 0.8 * 0.12
    watched = watched * np.exp(s.draws.level("watched", 0.35)) * s.path({2003: 0.8, 2023: 1.2})
    city["key_enterprises"] = np.maximum(np.round(watched), 1.0)
    city["size_latent"] = np.broadcast_to(size, output.shape)


def energy_and_town(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Electricity (10 000 kWh), gas (10 000 m3), LPG (t); built-up land, roads, green cover.

    Electricity, gas and LPG carry the same declared effect, so the logarithm of study D's carbon
    falls by just that effect.
    """
    size = city["size_latent"]
    heavy = city["share_secondary"].mean(axis=1, keepdims=True) / 100 - 0.45
    common = 0.78 * size + 0.8 * heavy + s.draws.level("energy", 0.35) + s.draws.ar1("energy", 0.13)
    power = 12.17 + common + s.path({2003: -0.85, 2008: -0.3, 2013: 0.12, 2018: 0.45, 2023: 0.7})
    use = np.exp(s.effects.shift("energy_use", "log", s.adoption, s.years))
    city["electricity_total"] = np.exp(power) * use
    industry = 0.66 * np.exp(-(s.draws.level("power_industry", 0.12) ** 2))
    home = 0.155 * np.exp(np.clip(s.draws.level("power_home", 0.2), -0.5, 0.5))
    city["electricity_industry"] = city["electricity_total"] * industry
    city["electricity_household"] = city["electricity_total"] * home
    gas = 8.5 + common + s.path({2003: -1.9, 2008: -0.7, 2013: 0.1, 2018: 0.7, 2023: 1.1})
    city["gas_supply"] = np.exp(gas + s.draws.level("gas", 0.4)) * use
    lpg = 9.1 + common + s.path({2003: 0.2, 2010: 0.1, 2023: -0.4}) + s.draws.level("lpg", 0.4)
    city["lpg_supply"] = np.exp(lpg) * use

    town = 4.5 + 0.72 * size + 0.035 * (s.years - 2013) + s.draws.level("built_up", 0.25)
    land = s.draws.level("construction", 0.05)
    city["built_up_area"] = np.exp(town + s.draws.ar1("built_up", 0.02, 0.9))
    city["construction_land"] = city["built_up_area"] * np.exp(land - 0.06)
    road = np.log(13.4) + s.path({2003: -0.42, 2010: -0.12, 2020: 0.25, 2023: 0.3})
    road = road + 0.15 * s.income + s.draws.level("road", 0.36) + s.draws.ar1("road", 0.06)
    city["road_area_per_capita"] = np.exp(road)
    green = 37.0 + s.path({2003: -5.5, 2010: 0.0, 2020: 3.2, 2023: 3.8}) + 1.2 * s.income
    green = green + s.draws.level("green", 3.2) + s.draws.ar1("green", 1.2)
    city["green_coverage"] = np.clip(green, 5.0, 62.0)


def provinces(s: Setting, city: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Provincial series: marketisation, energy (10 000 tce) and two price indices (last year 100).

    Energy is proportional to the sum of night lights over the province's cities, which is the
    relation that study B fits; the factor varies a little by province and falls over the years.
    """
    rng = stream(s.draws.seed, "provinces")
    size = np.bincount(s.province, minlength=count)
    income = np.bincount(s.province, weights=s.income.ravel(), minlength=count) / size
    shape = (count, len(s.years))
    market = 11.0 + 5.5 * income[:, None] + rng.normal(0, 1.7, (count, 1))
    market = market + 0.34 * (s.years - 2014) + rng.normal(0, 0.12, shape)
    light = np.zeros(shape)
    np.add.at(light, s.province, city["night_light"])
    per_light = 0.20 * np.exp(rng.normal(0, 0.10, (count, 1)) + rng.normal(0, 0.015, shape))
    prices = s.path(
        {2003: 2.2, 2004: 5.6, 2005: 1.6, 2006: 1.5, 2007: 3.9, 2008: 8.9, 2009: -2.4, 2010: 3.6,
         2011: 6.6, 2012: 1.1, 2013: 0.3, 2014: 0.5, 2015: -1.8, 2016: -0.6, 2017: 5.8, 2018: 5.4,
         2019: 2.6, 2020: 0.7, 2021: 5.0, 2022: 2.0, 2023: 0.2}
    )  # fmt: skip
    consumer = s.path(
        {2003: 1.2, 2004: 3.9, 2005: 1.8, 2006: 1.5, 2007: 4.8, 2008: 5.9, 2009: -0.7, 2010: 3.3,
         2011: 5.4, 2012: 2.6, 2013: 2.6, 2014: 2.0, 2015: 1.4, 2016: 2.0, 2017: 1.6, 2018: 2.1,
         2019: 2.9, 2020: 2.5, 2021: 0.9, 2022: 2.0, 2023: 0.2}
    )  # fmt: skip
    return {
        "marketisation_index": np.maximum(market, 0.5),
        "energy_province": light * per_light * s.path({2003: 1.2, 2013: 1.12, 2023: 1.0}),
        "price_index_investment": 100 + prices + rng.normal(0, 0.5, shape),
        "price_index_consumer": 100 + consumer + rng.normal(0, 0.3, shape),
    }
