"""Money: plans, the checkout webhook, dunning."""
