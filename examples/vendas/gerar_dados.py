"""Writes `raw/vendas_detalhadas.csv`, as a Brazilian back office would export it.

Latin-1, `;` between fields, decimal comma, dates dd/mm/yyyy. One row a product and day on which it
sold; `categoria_valor` is the band of the day's value. The same seed writes the same bytes.

    python gerar_dados.py [DAYS]
"""

from __future__ import annotations

import csv
import math
import random
import sys
from datetime import date, timedelta
from pathlib import Path

PRODUTOS = {
    "Café torrado 500 g": (32, 18.90),
    "Açúcar cristal 1 kg": (45, 4.79),
    "Feijão carioca 1 kg": (28, 8.49),
    "Pão de forma": (22, 9.99),
    "Maçã gala kg": (18, 11.90),
    "Leite integral 1 l": (64, 5.29),
    "Sabão em pó 1,6 kg": (12, 21.50),
    "Guaraná 2 l": (26, 8.99),
    "Chocolate ao leite": (15, 7.25),
    "Arroz tipo 1 5 kg": (20, 27.90),
}
SEMANA = (0.9, 0.85, 0.9, 1.0, 1.2, 1.45, 0.7)  # Monday to Sunday


def linhas(dias: int, *, inicio: date = date(2024, 1, 1), semente: int = 7) -> list[list[str]]:
    """The rows of the file: produto, categoria_valor, quantidade, valor_total, data_venda."""
    acaso = random.Random(semente)
    todas = []
    for passo in range(dias):
        dia = inicio + timedelta(days=passo)
        for produto, (nivel, preco) in PRODUTOS.items():
            quantidade = _quantidade(acaso, dia, nivel)
            if quantidade:
                todas.append(_linha(produto, quantidade, quantidade * preco, dia))
    return todas


def _quantidade(acaso: random.Random, dia: date, nivel: int) -> int:
    ano = 1 + 0.15 * math.sin(2 * math.pi * dia.timetuple().tm_yday / 365.25)
    esperado = nivel * SEMANA[dia.weekday()] * ano
    return max(0, round(acaso.gauss(esperado, math.sqrt(esperado))))


def _linha(produto: str, quantidade: int, valor: float, dia: date) -> list[str]:
    faixa = "baixo" if valor < 100 else "médio" if valor < 300 else "alto"
    milhar = f"{valor:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
    return [produto, faixa, str(quantidade), f"R$ {milhar}", f"{dia:%d/%m/%Y}"]


def escrever(pasta: Path, dias: int) -> Path:
    """Write the file below a folder and return its path."""
    destino = pasta / "raw" / "vendas_detalhadas.csv"
    destino.parent.mkdir(parents=True, exist_ok=True)
    with destino.open("w", encoding="latin-1", newline="") as arquivo:
        saida = csv.writer(arquivo, delimiter=";")
        saida.writerow(["produto", "categoria_valor", "quantidade", "valor_total", "data_venda"])
        saida.writerows(linhas(dias))
    return destino


if __name__ == "__main__":
    escrever(Path(__file__).parent, int(sys.argv[1]) if len(sys.argv) > 1 else 500)
