def total(items)
  items.sum { |item| item[:price] }
end
