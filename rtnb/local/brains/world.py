"""A few facts of the world: cities with their places on the map, capitals, companies with their tickers, languages.

Data only. Imports nothing of rtnb.
"""

from __future__ import annotations

from typing import Final

from rtnb.local.brains.tables import pairs

__all__ = ["CAPITALS", "CITIES", "CURRENCIES", "LANGUAGES", "TICKERS"]

_CITY_ROWS: Final = """
Amsterdam 52.37 4.90|Athens 37.98 23.73|Atlanta 33.75 -84.39|Auckland -36.85 174.76|Austin 30.27 -97.74
Bangkok 13.76 100.50|Barcelona 41.39 2.17|Beijing 39.90 116.41|Berlin 52.52 13.41|Bern 46.95 7.45|Bogota 4.71 -74.07
Boston 42.36 -71.06|Brasilia -15.79 -47.88|Brussels 50.85 4.35|Bucharest 44.43 26.10|Budapest 47.50 19.04
Buenos Aires -34.60 -58.38|Cairo 30.04 31.24|Cape Town -33.92 18.42|Chicago 41.88 -87.63|Cologne 50.94 6.96
Copenhagen 55.68 12.57|Dallas 32.78 -96.80|Delhi 28.66 77.23|New Delhi 28.61 77.21|Denver 39.74 -104.99
Detroit 42.33 -83.05|Dubai 25.20 55.27|Dublin 53.35 -6.26|Edinburgh 55.95 -3.19|Frankfurt 50.11 8.68|Geneva 46.20 6.14
Hamburg 53.55 9.99|Hanoi 21.03 105.85|Helsinki 60.17 24.94|Hong Kong 22.32 114.17|Houston 29.76 -95.37
Istanbul 41.01 28.98|Jakarta -6.21 106.85|Johannesburg -26.20 28.05|Kyiv 50.45 30.52|Kyoto 35.01 135.77|Lagos 6.52 3.38
Las Vegas 36.17 -115.14|Lima -12.05 -77.04|Lisbon 38.72 -9.14|London 51.51 -0.13|Los Angeles 34.05 -118.24
Lyon 45.76 4.84|Madrid 40.42 -3.70|Manila 14.60 120.98|Marseille 43.30 5.37|Melbourne -37.81 144.96
Mexico City 19.43 -99.13|Miami 25.76 -80.19|Milan 45.46 9.19|Minneapolis 44.98 -93.27|Montreal 45.50 -73.57
Moscow 55.76 37.62|Mumbai 19.08 72.88|Munich 48.14 11.58|München 48.14 11.58|Nairobi -1.29 36.82|Naples 40.85 14.27
New Orleans 29.95 -90.07|New York 40.71 -74.01|New York City 40.71 -74.01|Oslo 59.91 10.75|Ottawa 45.42 -75.70
Paris 48.86 2.35|Philadelphia 39.95 -75.17|Phoenix 33.45 -112.07|Portland 45.52 -122.68|Prague 50.08 14.44
Reykjavik 64.15 -21.94|Rio de Janeiro -22.91 -43.17|Rome 41.90 12.50|San Diego 32.72 -117.16
San Francisco 37.77 -122.42|Santiago -33.45 -70.67|São Paulo -23.55 -46.63|Sao Paulo -23.55 -46.63|Seattle 47.61 -122.33
Seoul 37.57 126.98|Shanghai 31.23 121.47|Singapore 1.35 103.82|Stockholm 59.33 18.07|Sydney -33.87 151.21
Taipei 25.03 121.57|Tel Aviv 32.09 34.78|Tokyo 35.68 139.69|Toronto 43.65 -79.38|Vancouver 49.28 -123.12
Venice 45.44 12.32|Vienna 48.21 16.37|Wien 48.21 16.37|Warsaw 52.23 21.01|Washington 38.91 -77.04|Zurich 47.37 8.54
Zürich 47.37 8.54|Canberra -35.28 149.13|Wellington -41.29 174.78|Kathmandu 27.72 85.32|Ankara 39.93 32.85
"""
CITIES: Final[dict[str, tuple[str, float, float]]] = {}
"""City in small letters -> its name, latitude, longitude."""
for _row in _CITY_ROWS.replace("\n", "|").split("|"):
    if _row:
        _name, _lat, _lng = _row.rsplit(" ", 2)
        CITIES[_name.casefold()] = (_name, float(_lat), float(_lng))

CAPITALS: Final[dict[str, str]] = pairs(
    "Argentina=Buenos Aires|Australia=Canberra|Austria=Vienna|Belgium=Brussels|Brazil=Brasilia"
    "|Bulgaria=Sofia|Canada=Ottawa"
    "|Chile=Santiago|China=Beijing|Colombia=Bogota|Croatia=Zagreb|Cuba=Havana|Czechia=Prague|the Czech Republic=Prague"
    "|Denmark=Copenhagen|Egypt=Cairo|England=London|Estonia=Tallinn|Ethiopia=Addis Ababa|Finland=Helsinki|France=Paris"
    "|Germany=Berlin|Ghana=Accra|Greece=Athens|Hungary=Budapest|Iceland=Reykjavik|India=New Delhi|Indonesia=Jakarta"
    "|Iran=Tehran|Iraq=Baghdad|Ireland=Dublin|Israel=Jerusalem|Italy=Rome|Japan=Tokyo|Kenya=Nairobi|Latvia=Riga"
    "|Lithuania=Vilnius|Luxembourg=Luxembourg|Malaysia=Kuala Lumpur|Mexico=Mexico City|Morocco=Rabat|Nepal=Kathmandu"
    "|the Netherlands=Amsterdam|New Zealand=Wellington|Nigeria=Abuja|Norway=Oslo|Pakistan=Islamabad|Peru=Lima"
    "|the Philippines=Manila|Poland=Warsaw|Portugal=Lisbon|Romania=Bucharest|Russia=Moscow|Saudi Arabia=Riyadh"
    "|Scotland=Edinburgh|Senegal=Dakar|Serbia=Belgrade|Singapore=Singapore|Slovakia=Bratislava|Slovenia=Ljubljana"
    "|South Korea=Seoul|Spain=Madrid|Sweden=Stockholm|Switzerland=Bern|Thailand=Bangkok|Tunisia=Tunis|Turkey=Ankara"
    "|Ukraine=Kyiv|the United Arab Emirates=Abu Dhabi|the United Kingdom=London|Great Britain=London"
    "|the United States=Washington, D.C.|the USA=Washington, D.C.|America=Washington, D.C.|Uruguay=Montevideo"
    "|Venezuela=Caracas|Vietnam=Hanoi|Wales=Cardiff"
)
"""Country -> capital."""

TICKERS: Final[dict[str, str]] = pairs(
    "apple=AAPL|microsoft=MSFT|google=GOOGL|alphabet=GOOGL|amazon=AMZN|tesla=TSLA|nvidia=NVDA|meta=META|facebook=META"
    "|netflix=NFLX|intel=INTC|amd=AMD|ibm=IBM|oracle=ORCL|salesforce=CRM|adobe=ADBE|cisco=CSCO|qualcomm=QCOM|disney=DIS"
    "|walt disney=DIS|coca cola=KO|coca-cola=KO|coke=KO|pepsi=PEP|pepsico=PEP|mcdonald's=MCD"
    "|mcdonalds=MCD|starbucks=SBUX"
    "|nike=NKE|walmart=WMT|costco=COST|boeing=BA|airbus=AIR|ford=F|general motors=GM|toyota=TM|volkswagen=VOW3|bmw=BMW"
    "|mercedes=MBG|siemens=SIE|sap=SAP|bayer=BAYN|allianz=ALV|asml=ASML|sony=SONY|samsung=005930|spotify=SPOT|uber=UBER"
    "|airbnb=ABNB|paypal=PYPL|visa=V|mastercard=MA|jpmorgan=JPM|j p morgan=JPM|goldman sachs=GS|bank of america=BAC"
    "|berkshire hathaway=BRK.B|berkshire=BRK.B|exxon=XOM|chevron=CVX|shell=SHEL|pfizer=PFE"
    "|moderna=MRNA|johnson & johnson=JNJ"
    "|procter & gamble=PG|general electric=GE|palantir=PLTR|snowflake=SNOW|zoom=ZM|at&t=T"
    "|verizon=VZ|bitcoin=BTC|ethereum=ETH"
)
"""Company in small letters -> ticker symbol."""

LANGUAGES: Final[dict[str, str]] = pairs(
    "english=en|french=fr|german=de|spanish=es|italian=it|portuguese=pt|dutch=nl|swedish=sv"
    "|norwegian=no|danish=da|finnish=fi"
    "|polish=pl|czech=cs|russian=ru|ukrainian=uk|turkish=tr|greek=el|arabic=ar|hebrew=he|hindi=hi"
    "|chinese=zh|mandarin=zh"
    "|japanese=ja|korean=ko|latin=la|hungarian=hu|romanian=ro|thai=th|vietnamese=vi|indonesian=id"
)
"""Language in small letters -> its two-letter code."""

CURRENCIES: Final[dict[str, str]] = {
    "dollar": "USD",
    "dollars": "USD",
    "usd": "USD",
    "$": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "eur": "EUR",
    "€": "EUR",
    "pound": "GBP",
    "pounds": "GBP",
    "gbp": "GBP",
    "£": "GBP",
    "yen": "JPY",
    "jpy": "JPY",
    "franc": "CHF",
    "francs": "CHF",
    "chf": "CHF",
    "yuan": "CNY",
    "rupee": "INR",
    "rupees": "INR",
    "krona": "SEK",
    "kronor": "SEK",
}
"""Currency as it is said -> its code."""
