"""What names of columns mean, in English and Portuguese."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


QUANTITY: Final = _set(
    "quantidade quantidades qtd qtde qtdade qty quantity quantities units unidades volume demand "
    "demanda pecas pieces y"
)
MONEY: Final = _set(
    "valor receita revenue sales vendas amount total faturamento turnover gmv montante value "
    "subtotal"
)
PRICE: Final = _set("preco precos price unitario cost custo")
_SIDE: Final = _set("frete freight imposto tax icms estoque stock")
PROMOTION: Final = _set(
    "promo promocao promocoes promotion promotions onpromotion desconto discount oferta campanha "
    "campaign display mailer"
)
STOCK: Final = _set("estoque disponivel available instock")
PRODUCT: Final = _set(
    "produto product prod sku item artigo article material upc ean stockcode unique series"
)
GROUP: Final = _set(
    "categoria category familia family grupo group departamento department dept secao section "
    "segmento segment marca brand subcategoria subcategory classe class tipo type"
)
STORE: Final = _set(
    "loja store filial branch shop warehouse armazem deposito canal channel outlet pdv"
)
REGION: Final = _set(
    "uf estado state regiao region cidade city municipio country pais bairro mercado market"
)
DOCUMENT: Final = _set(
    "invoice nota nf nfe pedido order ticket cupom transacao transaction basket venda sale "
    "receipt recibo fatura bill"
)
NEVER: Final = _set(
    "cliente customer client usuario user household vendedor description descricao cpf "
    "cnpj email phone telefone obs comment comentario status url length lenght width height "
    "weight peso altura largura comprimento photos zip cep latitude longitude lat lng"
)
"""Nobody forecasts a series of these: people, texts, measures of things."""

_DATE: Final = _set(
    "data date dt dia day time timestamp datetime week semana mes month hora hour ds period periodo"
)
_SOLD: Final = _set(
    "venda vendas sale sales order pedido invoice purchase compra emissao transaction transacao"
)
_AFTER: Final = _set(
    "delivery delivered entrega approved aprovacao limit limite estimated estimada shipping envio "
    "created criacao updated atualizacao carga load birth nascimento vencimento due carrier "
    "cancel cancelamento"
)
_BEGIN: Final = _set("start inicio begin beginning from commencing")
_END: Final = _set("end fim ending final ate")
_PORTUGUESE: Final = _set(
    "produto quantidade data loja preco receita categoria valor venda vendas uf semana mes"
)


def words_of(name: str) -> tuple[str, ...]:
    """The words of a column's name, lower case, without accents; `StockCode` has two."""
    parts = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in parts if not unicodedata.combining(c))
    split = _CAMEL.sub(" ", plain).casefold()
    return tuple(word for word in re.split(r"[^a-z0-9]+", split) if word)


def says(name: str, vocabulary: frozenset[str]) -> bool:
    """Whether a word of the name is in the vocabulary."""
    return not vocabulary.isdisjoint(words_of(name))


def is_price(name: str) -> bool:
    """Whether the name speaks of money for one unit."""
    return says(name, PRICE) and not says(name, frozenset({"total"}))


def is_money(name: str) -> bool:
    """Whether the name speaks of money taken."""
    told = says(name, MONEY) or words_of(name) == ("venda",)
    return told and not (
        is_price(name) or is_quantity(name) or says(name, PROMOTION | _SIDE) or is_code(name)
    )


def is_quantity(name: str) -> bool:
    """Whether the name speaks of how many were sold."""
    pair = {"unit", "sales"} <= set(words_of(name))
    sold = says(name, frozenset({"sold", "vendidas", "vendidos"}))
    return (says(name, QUANTITY) or pair or sold) and not (is_code(name) or says(name, PRICE))


def is_product(name: str) -> bool:
    """Whether the name speaks of what is sold."""
    return says(name, PRODUCT) or (says(name, frozenset({"stock"})) and is_code(name))


def is_key(name: str) -> bool:
    """Whether a series may be of this column: a who, what or where, not how much, not a paper."""
    place = says(name, STORE | REGION)
    paper = says(name, DOCUMENT) and not (place or says(name, GROUP))
    person = says(name, NEVER) and not says(name, REGION)
    return not (paper or person or is_measure(name))


def is_measure(name: str) -> bool:
    """Whether the name speaks of how many or how much, so not of who or what."""
    return is_quantity(name) or is_price(name) or is_money(name) or says(name, PROMOTION | STOCK)


def is_code(name: str) -> bool:
    """Whether the name ends as keys do: `venda_id`, `cod_produto`, `order number`."""
    return says(name, frozenset({"id", "code", "cod", "codigo", "key", "number", "numero", "no"}))


def time_score(name: str) -> int:
    """How much a time column's name sounds like the moment of a sale."""
    score = 2 * says(name, _DATE) + 2 * says(name, _SOLD)
    return score - 4 * says(name, _AFTER)


def week_label(name: str) -> str | None:
    """`start` or `end` where the name of a weekly column says which day it holds."""
    if says(name, _BEGIN):
        return "start"
    return "end" if says(name, _END) else None


def portuguese(names: list[str]) -> bool:
    """Whether at least two columns have Portuguese names."""
    return sum(says(name, _PORTUGUESE) for name in names) >= 2
