"""`python -m heads.adapt --data DIR --out DIR`: a LoRA adapter that turns an encoder towards the quality of writing.

Learned on the ELLIPSE training essays alone, so that figures on ASAP and on the ELLIPSE test essays are of essays that
neither the adapter nor the heads have seen. LoRA: Hu et al. 2021, arXiv:2106.09685.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoTokenizer

from heads.corpora import ELLIPSE_COLUMNS
from worker.engine.source import find_source
from worker.engine.torch import load_model
from worker.settings import WorkerSettings

LONGEST = 512
BATCH = 16


class Regressor(nn.Module):
    """An encoder, mean-pooled, with one linear output a trait."""

    def __init__(self, encoder: nn.Module, hidden: int, outputs: int) -> None:
        super().__init__()
        self.encoder, self.out = encoder, nn.Linear(hidden, outputs)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(b, length) twice -> (b, outputs)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        return torch.as_tensor(self.out((states * weights).sum(1) / weights.sum(1)))


def batches(lengths: np.ndarray[Any, Any], draw: np.random.Generator) -> list[Any]:
    """Batches of texts of like length, in random order: little padding, and no batch sees the same company twice."""
    order = np.argsort(lengths * draw.uniform(0.9, 1.1, len(lengths)))
    parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    return [parts[k] for k in draw.permutation(len(parts))]


def tensors(ids: list[list[int]], rows: Any, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids[k]) for k in rows)
    out, mask = torch.full((len(rows), width), pad), torch.zeros(len(rows), width, dtype=torch.long)
    for n, k in enumerate(rows):
        out[n, : len(ids[k])] = torch.tensor(ids[k])
        mask[n, : len(ids[k])] = 1
    return out, mask


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.adapt", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ellipse_train.csv")
    parser.add_argument("--out", type=Path, required=True, help="where the adapter is written")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=7e-4, help="highest learning rate")
    parser.add_argument("--held", type=int, default=400, help="essays kept aside to watch the error; 0: learn from all")
    run(parser.parse_args())


def run(given: argparse.Namespace) -> None:
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    source = find_source(WorkerSettings())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = pd.read_csv(given.data / "ellipse_train.csv").sample(frac=1, random_state=0).reset_index(drop=True)
    tokenizer = AutoTokenizer.from_pretrained(source.folder)
    ids = tokenizer(list(data.text), truncation=True, max_length=LONGEST)["input_ids"]
    targets = torch.tensor(data[ELLIPSE_COLUMNS].to_numpy(np.float32))
    lengths = np.array([len(each) for each in ids])
    encoder: Any = load_model(source.folder, torch.float32)
    hidden = encoder.config.hidden_size
    config = LoraConfig(r=given.rank, lora_alpha=2 * given.rank, target_modules="all-linear")
    adapted: Any = get_peft_model(encoder, config)
    model = Regressor(adapted, hidden, len(ELLIPSE_COLUMNS)).to(device)
    nn.init.zeros_(model.out.weight)
    learned = np.arange(given.held, len(data))
    model.out.bias.data = targets[given.held :].mean(0).to(device)
    # No dropout: on a CPU it takes three quarters of the time, and a small adapter is regular enough.
    model.eval()
    rest = [p for p in model.parameters() if p.requires_grad]
    steps = given.epochs * -(-len(learned) // BATCH)
    optimizer = torch.optim.AdamW(rest, lr=given.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.rate, total_steps=steps, pct_start=0.1)
    for epoch in range(given.epochs):
        began, total, done = time.monotonic(), 0.0, 0
        for rows in batches(lengths[learned], draw):
            rows = learned[rows]
            tokens, mask = tensors(ids, rows, tokenizer.pad_token_id)
            with torch.autocast(device, torch.bfloat16):
                predicted = model(tokens.to(device), mask.to(device))
            loss = nn.functional.mse_loss(predicted.float(), targets[rows].to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(rest, 1.0)
            optimizer.step()
            schedule.step()
            total, done = total + float(loss.detach()) * len(rows), done + len(rows)
            if done // BATCH % 20 == 0:
                rate = done / (time.monotonic() - began)
                print(
                    f"epoch {epoch + 1} {done}/{len(learned)} error {(total / done) ** 0.5:.3f}, {rate:.1f}/s",
                    flush=True,
                )
        if given.held:
            error = watched(model, ids, targets, given.held, tokenizer.pad_token_id, device)
            print(f"epoch {epoch + 1}: held-out MCRMSE {error:.4f}", flush=True)
        adapted.save_pretrained(str(given.out))


@torch.no_grad()
def watched(model: Regressor, ids: list[list[int]], targets: torch.Tensor, held: int, pad: int, device: str) -> float:
    """Mean over traits of the root mean square error on the essays kept aside, in points."""
    parts = []
    for start in range(0, held, BATCH):
        tokens, mask = tensors(ids, range(start, min(held, start + BATCH)), pad)
        with torch.autocast(device, torch.bfloat16):
            parts.append(model(tokens.to(device), mask.to(device)).float().cpu())
    return float(((torch.cat(parts) - targets[:held]) ** 2).mean(0).sqrt().mean())


if __name__ == "__main__":
    main()
